from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.data.checking import headers
from hierseg.data.checking.headers import Header, read_image_header
from hierseg.data.reading import DataError, read_dataset_image
from hierseg.size import Size

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_size_and_orientation_are_those_of_the_image_that_is_read(
    tmp_path: Path, kind: str, orientation: int | None
) -> None:
    path = tmp_path / "a"
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(path, kind, exif=exif)
    size = Size(40, 24) if orientation in (6, 8) else Size(24, 40)
    header = read_image_header(path)
    assert header.size == size == read_dataset_image(path).shape[:2]
    if kind != "TIFF":
        assert header == Header(size, orientation in (3, 6, 8))


def test_a_sound_image_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(headers, "read_dataset_image")
    for name in ("a.png", "a.jpg"):
        Image.fromarray(PIXELS).save(tmp_path / name)
        assert read_image_header(tmp_path / name).size == (24, 40)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_that_is_cut_short_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(PIXELS).save(path, kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="a' is damaged or cut short"):
        read_image_header(path)
    path.write_text("no image")
    with pytest.raises(DataError, match="a' is not an image"):
        read_image_header(path)
    path.unlink()
    with pytest.raises(DataError, match="a' cannot be read"):
        read_image_header(path)


def test_bytes_behind_the_end_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a"
    Image.fromarray(PIXELS).save(path, "JPEG")
    path.write_bytes(path.read_bytes() + b"maker's notes")
    assert read_image_header(path).size == (24, 40)


def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture = Image.fromarray(np.zeros((40, 60, 3), np.uint8))
    picture.save(path, dpi=(72, 72), exif=b"Exif\0\0garbagegarbage")
    assert read_image_header(path) == (Size(40, 60), False)
    path.write_bytes(path.read_bytes() + b"more")  # read whole then
    assert read_image_header(path) == (Size(40, 60), False)
    exif = Image.Exif()
    exif[0x0112] = 0  # which means nothing
    picture.save(path, exif=exif)
    path.write_bytes(path.read_bytes() + b"more")
    assert read_image_header(path) == (Size(40, 60), False)
