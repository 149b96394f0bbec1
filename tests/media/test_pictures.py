from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.errors import UserError
from hierseg.media.pictures import (
    UnreadableImageError,
    convert_image,
    pixels_counted_here,
    read_image,
)

Pixels = npt.NDArray[np.uint8]


def _save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr", "I;16"])
def test_images_of_every_mode_turn_into_rgb(tmp_path: Path, image: Pixels, mode: str) -> None:
    original = Image.fromarray(image)
    if mode == "I;16":
        grey = np.asarray(original.convert("L")).astype(np.uint16) * 257
        path = _save(tmp_path / "x.png", Image.fromarray(grey))
        expected = np.repeat(np.asarray(original.convert("L"))[..., None], 3, axis=2)
    else:
        path = _save(tmp_path / "x.tif", original.convert(mode)) if mode != "LA" else None
        path = path or _save(tmp_path / "x.png", original.convert(mode))
        expected = np.asarray(original.convert(mode).convert("RGB"))
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == image.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path: Path, image: Pixels, orientation: int) -> None:
    stored = {
        1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1],
        5: image.transpose(1, 0, 2), 6: np.rot90(image), 7: np.rot90(image, 2).transpose(1, 0, 2),
        8: np.rot90(image, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(stored))
    path = _save(tmp_path / "x.png", turned, exif=exif)
    assert np.array_equal(read_image(path), image)


def test_of_an_animation_the_first_frame_counts(tmp_path: Path, image: Pixels) -> None:
    frames = [Image.fromarray(image), Image.fromarray(255 - image)]
    path = _save(tmp_path / "x.gif", frames[0], save_all=True, append_images=frames[1:])
    assert np.abs(read_image(path).astype(int) - image).max() <= 8  # a palette of 256


def _damaged(kind: str, folder: Path, image: Pixels) -> Path:
    path = folder / "x.png"
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is not an image")
    elif kind == "truncated":
        path.write_bytes(buffer.getvalue()[:5000])
    elif kind == "link":
        path.symlink_to(folder / "nowhere")
    elif kind == "folder":
        path.mkdir()
    elif kind == "small":
        Image.fromarray(image[:31]).save(path)
    elif kind == "large":
        Image.new("1", (1000, 1000)).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty"),
        ("text", "not an image"),
        ("truncated", "truncated|damaged"),
        ("link", "link to a file that is not there"),
        ("folder", "folder"),
        ("small", "31x60 is smaller than 32x32"),
        ("large", "1,000,000 pixels are more than --max-pixels 999,999"),
        ("absent", "no such file"),
    ],
)
def test_what_cannot_be_read_says_why(
    tmp_path: Path, image: Pixels, kind: str, reason: str
) -> None:
    path = _damaged(kind, tmp_path, image)
    with pytest.raises(UnreadableImageError, match=reason) as raised:
        read_image(path, max_pixels=999_999)
    assert str(raised.value).startswith(f"{path}: ")
    assert str(path) not in raised.value.reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, image: Pixels) -> None:
    path = _save(tmp_path / "x.png", Image.fromarray(image))
    path.chmod(0)
    with pytest.raises(UnreadableImageError, match="permission"):
        read_image(path)


def test_pillows_own_limit_gives_way_and_comes_back(
    tmp_path: Path, image: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = _save(tmp_path / "x.png", Image.fromarray(image))
    with pytest.raises(UserError):
        read_image(path)
    with pixels_counted_here():
        assert np.array_equal(read_image(path), image)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_pillow_image_is_converted_as_a_file_is(tmp_path: Path, image: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = _save(tmp_path / "x.png", Image.fromarray(image).convert("P"), exif=exif)
    with Image.open(path) as opened:
        assert np.array_equal(convert_image(opened), read_image(path))
