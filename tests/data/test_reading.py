from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from hierseg.data.reading import DataError, read_dataset_image, read_label_ids
from hierseg.media.pictures import UnreadableImageError
from hierseg.media.pictures import read_image as read_user_image

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (24, 17, 3), np.uint8)
GREY = RANDOM.integers(0, 256, (24, 17), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def test_png_is_exact_and_rgb(path: Path) -> None:
    Image.fromarray(RGB).save(path)
    assert np.array_equal(read_dataset_image(path), RGB)


def test_jpeg_is_rgb(path: Path) -> None:
    Image.new("RGB", (40, 30), (250, 10, 60)).save(path, "JPEG", quality=95)
    image = read_dataset_image(path)
    assert image.shape == (30, 40, 3)
    assert np.abs(image.astype(int) - [250, 10, 60]).max() < 6


def test_grey_palette_and_alpha_become_rgb(path: Path) -> None:
    Image.fromarray(GREY).save(path)
    assert np.array_equal(read_dataset_image(path), np.repeat(GREY[..., None], 3, 2))
    Image.fromarray(np.dstack([RGB, GREY])).save(path)
    assert np.array_equal(read_dataset_image(path), RGB)
    palette = Image.fromarray(GREY % 4, "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    palette.save(path)
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]])
    assert np.array_equal(read_dataset_image(path), colors[GREY % 4])


def test_cmyk_becomes_rgb(path: Path) -> None:
    Image.new("CMYK", (20, 10), (0, 255, 255, 0)).save(path, "JPEG", quality=95)
    image = read_dataset_image(path)
    assert image.shape == (10, 20, 3)
    assert image[..., 0].min() > 200
    assert image[..., 1:].max() < 60


def test_16_bit_grey_keeps_its_range(path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 256 + 7).save(path)
    assert np.array_equal(read_dataset_image(path), np.repeat(GREY[..., None], 3, 2))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
@pytest.mark.parametrize("factor", [1, 256])
def test_the_depth_is_that_of_the_file_not_of_what_it_shows(
    tmp_path: Path, suffix: str, factor: int
) -> None:
    path = tmp_path / f"dark{suffix}"
    cv2.imwrite(str(path), GREY.astype(np.uint16) * factor)
    assert np.array_equal(read_dataset_image(path)[..., 0], GREY.astype(int) * factor // 256)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_of_unknown_range_are_refused(tmp_path: Path, dtype: Any) -> None:
    path = tmp_path / "wide.tif"
    Image.fromarray(np.ones((40, 40), dtype)).save(path)
    with pytest.raises(DataError, match=r"wide\.tif' has 32-bit or .*save it with 8 or 16 bits"):
        read_dataset_image(path)
    with pytest.raises(UnreadableImageError, match=r"wide\.tif: 32-bit .* 8 or 16 bits\.$"):
        read_user_image(path)


TURNED = {  # by EXIF orientation: what becomes of an array so stored
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_is_honoured(path: Path, kind: str, orientation: int) -> None:
    stored = np.full((24, 48, 3), 128, np.uint8)
    stored[:8, :16] = (250, 20, 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(path, kind, exif=exif, quality=95)
    expected = TURNED[orientation](stored)
    image = read_dataset_image(path)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 4


def test_label_ids_are_what_the_file_holds(path: Path) -> None:
    Image.fromarray(GREY).save(path)
    assert np.array_equal(read_label_ids(path), GREY)
    wide = GREY.astype(np.uint16) * 200
    Image.fromarray(wide).save(path)
    ids = read_label_ids(path)
    assert ids.dtype == np.uint16
    assert np.array_equal(ids, wide)


def test_label_ids_of_a_palette_image_are_its_indices(path: Path) -> None:
    palette = Image.fromarray(GREY % 3, "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(path)
    assert np.array_equal(read_label_ids(path), GREY % 3)


def test_label_ids_with_a_transparent_one_are_ids(path: Path) -> None:
    Image.fromarray(GREY).save(path, transparency=3)
    assert np.array_equal(read_label_ids(path), GREY)


def test_label_ids_of_one_bit(path: Path) -> None:
    Image.fromarray(GREY > 127).save(path)
    ids = read_label_ids(path)
    assert ids.dtype == np.uint8
    assert np.array_equal(ids, GREY > 127)


def test_a_color_label_map_is_refused(path: Path) -> None:
    Image.fromarray(RGB).save(path)
    with pytest.raises(DataError, match=r"picture\.png' has 3 channels"):
        read_label_ids(path)


def test_label_values_that_are_no_ids_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.tiff"
    for values in (np.full((3, 3), -4, np.int32), np.full((3, 3), 0.5, np.float32)):
        Image.fromarray(values).save(path)
        with pytest.raises(DataError, match=r"labels\.tiff' holds values that are not class ids"):
            read_label_ids(path)


@pytest.mark.parametrize("read", [read_dataset_image, read_label_ids])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_named(path: Path, read: object, kind: str, share: float) -> None:
    pixels = RANDOM.integers(0, 256, (200, 200), np.uint8)
    Image.fromarray(pixels).convert("L" if read is read_label_ids else "RGB").save(path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert callable(read)
    with pytest.raises(DataError, match=r"picture\.png' is damaged or cut short"):
        read(path)


def test_a_truncated_file_padded_with_zeros_is_named(path: Path) -> None:
    Image.fromarray(RANDOM.integers(0, 256, (200, 200, 3), np.uint8)).save(path, "JPEG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) // 2))
    with pytest.raises(DataError, match="damaged or cut short"):
        read_dataset_image(path)


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm(path: Path) -> None:
    Image.fromarray(RGB).save(path, "JPEG", quality=95)
    image = read_dataset_image(path)
    path.write_bytes(path.read_bytes() + b"maker's notes")
    assert np.array_equal(read_dataset_image(path), image)


def test_what_phones_append_to_a_jpeg_is_not_taken_for_its_end(path: Path) -> None:
    """Motion photos end in a video, in which any pair of bytes may be."""
    Image.fromarray(RGB).save(path, "JPEG", quality=95)
    image, data = read_dataset_image(path), path.read_bytes()
    path.write_bytes(data + b"video \xff\xd9 and \xff\xda more")
    assert np.array_equal(read_dataset_image(path), image)
    # A thumbnail, in a segment before the picture, has an end that is not the picture's.
    thumbnail = b"\xff\xe1\x00\x08" + b"\xff\xda\xff\xd9" + b"\x00\x00"
    path.write_bytes(data[:2] + thumbnail + data[2:])
    assert np.array_equal(read_dataset_image(path), image)
    path.write_bytes(data[:2] + thumbnail + data[2 : len(data) * 3 // 4])
    with pytest.raises(DataError, match="damaged or cut short"):
        read_dataset_image(path)


def test_an_altered_png_is_named(path: Path) -> None:
    Image.fromarray(RANDOM.integers(0, 256, (200, 200, 3), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged or cut short"):
        read_dataset_image(path)


@pytest.mark.parametrize("read", [read_dataset_image, read_label_ids])
def test_what_is_no_image_is_named(path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(DataError, match=r"picture\.png' cannot be read \(No such file"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"picture\.png' is empty"):
        read(path)
    path.write_text("not a picture at all")
    with pytest.raises(DataError, match=r"picture\.png' is not an image"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"picture\.png' cannot be read"):
        read(path)


def test_a_huge_image_is_named_before_it_is_decoded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    Image.new("L", (2000, 1001)).save(path)
    with pytest.raises(DataError, match=r"picture\.png' has more than 2 million pixels"):
        read_dataset_image(path)


class Broken(Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> torch.Tensor:
        try:
            raise OSError("the cause")
        except OSError as error:
            raise DataError("'a.png' is damaged.") from error


def test_the_error_comes_out_of_a_worker_as_its_sentence() -> None:
    batches = iter(DataLoader(Broken(), num_workers=1))
    with pytest.raises(DataError) as caught:
        next(batches)
    batches._shutdown_workers()  # left to the garbage collector it takes five seconds
    assert str(caught.value) == "'a.png' is damaged."
