from __future__ import annotations

import ast
import io
import os
import struct
import sys
import time
import types
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, features

import hierseg
from hierseg.data.checking.headers import read_image_header
from hierseg.data.reading import (
    DataError,
    is_turned_by_exif,
    read_dataset_image,
    read_label_colors,
    read_label_ids,
)
from hierseg.media.pictures import UnreadableImageError
from hierseg.media.pictures import read_image as read_user_image
from hierseg.size import Size

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (40, 56, 3), np.uint8)
READERS: list[Callable[[Path], object]] = [
    read_dataset_image, read_label_ids, read_label_colors,
    read_image_header, is_turned_by_exif, read_user_image,
]  # fmt: skip


def test_pillow_opens_files_in_one_place_alone() -> None:
    places = []
    for path in Path(hierseg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_open = isinstance(node, ast.Attribute) and node.attr == "open"
            if is_open and "Image" in ast.unparse(node.value):
                places.append(path.name)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("PIL"):
                assert all(name.name != "open" for name in node.names)
    assert places == ["opening.py"]


@pytest.mark.parametrize("read", READERS)
def test_postscript_starts_no_program(
    tmp_path: Path, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ghostscript, started = tmp_path / "bin" / "gs", tmp_path / "started"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch '{started}'\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None, raising=False)
    path = tmp_path / "holiday.jpg"
    path.write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises((DataError, UnreadableImageError), match="a drawing, not pixels"):
        read(path)
    assert not started.exists()


KINDS = ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "MPO"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_formats_that_are_wanted_are_read_whatever_they_are_called(
    tmp_path: Path, kind: str
) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / "picture"
    smooth = Image.linear_gradient("L").resize((56, 40)).convert("RGB")
    if kind == "MPO":
        smooth.save(path, "MPO", save_all=True, append_images=[smooth])
    else:
        smooth.save(path, kind)
    for name in ("picture", "picture.jpg", "picture.tga"):
        assert np.abs(read_dataset_image(path).astype(int) - np.asarray(smooth)).mean() < 4
        assert read_user_image(path).shape == (40, 56, 3)
        assert read_image_header(path).size == Size(40, 56)
        path = path.rename(tmp_path / name)


@pytest.mark.parametrize("kind", ["PCX", "SGI", "ICO", "DDS", "TGA", "IM", "PSD", "ICNS"])
def test_others_are_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.jpg"
    if kind == "PSD":
        path.write_bytes(b"8BPS\0\1" + bytes(100))
    else:
        Image.fromarray(RGB).resize((32, 32)).save(path, kind)
    with pytest.raises(DataError, match=r"not an image of a known format|save it as PNG"):
        read_dataset_image(path)


UNREAD = {
    "a.dng": (b"II*\0\x08\0\0\0\0\0", "a raw photograph"),
    "a.nef": (b"MM\0*\0\0\0\x08\0\0", "a raw photograph"),
    "a.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\0", "a raw photograph"),
    "a.jpg": (b"\0\0\0\x18ftypisom\0\0\0\0isom", "a video; give it the ending of one"),
    "b.jpg": (b"<!DOCTYPE html><html>", "a web page"),
    "c.jpg": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    "a.svg": (b'<?xml version="1.0"?><svg xmlns="x"/>', "a drawing"),
    "a.pdf": (b"%PDF-1.7", "a document"),
    "a.exr": (b"v/1\x01", "a high-dynamic-range picture"),
    "a.tga": (bytes(30), "a format that is not read"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_known_kind_that_is_not_read_is_named_with_its_cure(tmp_path: Path, name: str) -> None:
    content, words = UNREAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}' is (of )?{words}.*\.$"):
        read_dataset_image(path)
    with pytest.raises(UnreadableImageError, match=rf"{name}: (of )?{words}"):
        read_user_image(path)


def test_a_raw_photograph_called_tiff_is_told_by_its_tag(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(RGB).save(path, tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(DataError, match="a raw photograph"):
        read_dataset_image(path)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(
        ">I", zlib.crc32(kind + content)
    )  # fmt: skip


LONG = RANDOM.integers(0, 256, 3 << 20, np.uint8).tobytes().replace(b"\0", b"\1")
TEXTS = {
    "plain XMP": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * (2 << 20)),
    "packed XMP": (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * (2 << 20))),
    "packed text": (b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (2 << 20))),
    "text": (b"tEXt", b"Comment\0" + b"x" * (65 << 20)),
    "profile": (b"iCCP", b"mine\0\0" + zlib.compress(LONG)),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("behind", [False, True])
def test_long_texts_and_profiles_of_a_png_do_no_harm(
    tmp_path: Path, name: str, behind: bool
) -> None:
    path = tmp_path / "a.png"
    added = chunk(*TEXTS[name])
    for pixels, read in ((RGB, read_dataset_image), (RGB[..., 0], read_label_ids)):
        Image.fromarray(pixels).save(path)
        data = path.read_bytes()
        place = len(data) - 12 if behind else 33
        path.write_bytes(data[:place] + added + data[place:])
        assert np.array_equal(read(path), pixels)  # type: ignore[operator]
        assert read_image_header(path) == (Size(40, 56), False)
        assert read_user_image(path).shape == (40, 56, 3)


def test_a_png_of_countless_chunks_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk(b"prVt", b"") * 1_000_000 + data[33:])
    began = time.process_time()
    with pytest.raises(DataError, match="damaged"):
        read_dataset_image(path)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_alone_turns_a_picture(tmp_path: Path, kind: str) -> None:
    """A picture would be turned by one decoder and not by the other."""
    path = tmp_path / "a"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(RGB).save(path, kind, xmp=xmp)
    if kind == "PNG":
        data = path.read_bytes()
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
        path.write_bytes(data[:33] + text + data[33:])
    assert read_dataset_image(path).shape == RGB.shape
    assert read_image_header(path) == (Size(40, 56), False)
    assert not is_turned_by_exif(path)


@pytest.mark.parametrize("count", [1, 2, 3, 1000, 20_000_000])
def test_fill_bytes_of_a_jpeg_cost_nothing(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(path, exif=exif, quality=95)
    image, data = read_dataset_image(path), path.read_bytes()
    path.write_bytes(data[:2] + b"\xff" * count + data[2:])
    began = time.process_time()
    assert np.array_equal(read_dataset_image(path), image)
    assert read_image_header(path) == (Size(56, 40), True)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("junk", [b"\xff\0" * 3_000_000, b"\0" * 6_000_000, b"\xff" * 6_000_000])
def test_a_jpeg_that_never_begins_is_refused_at_once(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff" + junk)
    began = time.process_time()
    for read in (read_dataset_image, read_image_header):
        with pytest.raises(DataError):
            read(path)  # type: ignore[operator]
    assert time.process_time() - began < 5


def test_a_jpeg_of_countless_segments_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xfe\0\2" * 3_000_000 + data[2:])
    began = time.process_time()
    with pytest.raises(DataError, match="damaged"):
        read_dataset_image(path)
    assert time.process_time() - began < 5


def test_a_netpbm_without_a_size_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P6\n#" + b"a" * 8_000_000 + b"\n8 8\n255\n" + bytes(192))
    began = time.process_time()
    for read in (read_dataset_image, read_image_header):
        with pytest.raises(DataError, match="not an image of a known format"):
            read(path)  # type: ignore[operator]
    assert time.process_time() - began < 2


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


@pytest.mark.parametrize("read", READERS)
def test_heic_names_its_extra(
    tmp_path: Path, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(HEIC)
    with pytest.raises(
        (DataError, UnreadableImageError), match=r'pip install "hierseg\[heif\]"'
    ) as caught:
        read(path)
    assert "IMG_0001.HEIC" in str(caught.value)


def test_heic_is_read_by_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pillow_heif, which decodes every file as one white picture."""

    class Stand(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            self._mode, self._size, self.tile = "RGB", (56, 40), []

        def load(self) -> None:  # type: ignore[override]
            self.im = Image.new("RGB", self.size, (255, 255, 255)).im

    def register(**_: object) -> None:
        Image.register_open("HEIF", Stand, lambda prefix: prefix[4:8] == b"ftyp")

    module = types.ModuleType("pillow_heif")
    module.register_heif_opener = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    path = tmp_path / "a.heic"
    path.write_bytes(HEIC)
    assert (read_dataset_image(path) == 255).all()
    assert read_user_image(path).shape == (40, 56, 3)
    # What is no HEIC is no business of the package.
    Image.fromarray(RGB).save(path, "PNG")
    assert np.array_equal(read_dataset_image(path), RGB)


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "WEBP", "TIFF"])
def test_whatever_a_decoder_raises_ends_as_a_sentence(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, kind)
    path, whole, said = tmp_path / "a", buffer.getvalue(), list[str]()
    for seed in range(60):
        random = np.random.default_rng(seed)
        data = bytearray(whole)
        for place in random.integers(0, len(data), 20):
            data[place] = random.integers(0, 256)
        path.write_bytes(data)
        for read in (read_dataset_image, read_label_colors, is_turned_by_exif, read_user_image):
            try:
                read(path)  # type: ignore[operator]
            except (DataError, UnreadableImageError) as error:
                said.append(str(error))
    assert said
    assert all(str(path) in sentence for sentence in said)


@pytest.mark.parametrize("error", [RuntimeError("x"), NotImplementedError(), MemoryError()])
def test_any_error_of_a_decoder_ends_as_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "a.webp"
    Image.fromarray(RGB).save(path, lossless=True)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.load", fail)
    words = "memory" if isinstance(error, MemoryError) else "damaged"
    for read in (read_dataset_image, read_label_ids, read_label_colors, read_user_image):
        with pytest.raises((DataError, UnreadableImageError), match=rf"a\.webp.*{words}"):
            read(path)  # type: ignore[operator]
