from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from hierseg.data.endings import (
    IMAGE_ENDINGS,
    KNOWN_UNREADABLE,
    VIDEO_ENDINGS,
    Looks,
    is_heif,
    tell,
    tell_by_bytes,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


def test_no_ending_is_of_two_kinds() -> None:
    assert not IMAGE_ENDINGS & VIDEO_ENDINGS
    assert not (IMAGE_ENDINGS | VIDEO_ENDINGS) & set(KNOWN_UNREADABLE)
    for ending in (*IMAGE_ENDINGS, *VIDEO_ENDINGS, *KNOWN_UNREADABLE):
        assert ending.startswith(".")
        assert ending == ending.lower()


@pytest.mark.parametrize("name", ["a.HEIC", "a.avif", "b.JPG", "c.webp", "d.j2k"])
def test_pictures_are_told_by_their_names(tmp_path: Path, name: str) -> None:
    assert tell(tmp_path / name) == Looks("image")


@pytest.mark.parametrize("name", ["a.3gp", "a.FLV", "b.mp4", "c.webm"])
def test_clips_are_told_by_their_names(tmp_path: Path, name: str) -> None:
    assert tell(tmp_path / name) == Looks("video")


@pytest.mark.parametrize("name", ["a.dng", "a.CR2", "a.svg", "a.psd", "a.exr"])
def test_what_is_not_read_has_its_reason_and_cure(tmp_path: Path, name: str) -> None:
    looks = tell(tmp_path / name)
    assert looks is not None
    assert looks.kind == "image"
    assert "; save it as " in looks.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "AVIF"])
def test_pictures_without_an_ending_are_told_by_their_bytes(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / "photo"
    Image.fromarray(PIXELS).save(path, kind)
    assert tell(path) == Looks("image")


VIDEOS = {
    "MP4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    "MOV": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "old MOV": b"\0\0\1\0moov\0\0\0\x6cmvhd",
    "3GP": b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4",
    "MKV": b"\x1aE\xdf\xa3\x9fB\x86\x81\1",
    "FLV": b"FLV\1\5\0\0\0\t",
    "AVI": b"RIFF\0\0\0\0AVI LIST",
    "WMV": b"0&\xb2u\x8ef\xcf\x11\xa6\xd9",
    "MPEG": b"\0\0\1\xba\x44",
    "TS": (b"G" + bytes(187)) * 5,
    "M2TS": (bytes(4) + b"G" + bytes(187)) * 5,
    "Theora": b"OggS\0\2" + bytes(22) + b"\x80theora",
}


@pytest.mark.parametrize("kind", VIDEOS)
def test_clips_without_an_ending_are_told_by_their_bytes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "clip.ts"
    path.write_bytes(VIDEOS[kind])
    assert tell(path) == Looks("video")


NEITHER = {
    "TypeScript": b"export const answer = 42;\n",
    "text": b"BMW and P6 are words\n",
    "netpbm's letters": b"P6 is no size",
    "sound": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom",
    "Vorbis": b"OggS\0\2" + bytes(22) + b"\1vorbis",
    "page": b"<!DOCTYPE html><html><svg></svg></html>",
    "nothing": b"",
    "zeros": bytes(1024),
    "JSON": b'{"a": 1}',
}


@pytest.mark.parametrize("kind", NEITHER)
def test_other_files_are_neither(tmp_path: Path, kind: str) -> None:
    for name in ("notes", "notes.ts"):
        (tmp_path / name).write_bytes(NEITHER[kind])
        assert tell(tmp_path / name) is None


def test_pipes_folders_and_what_is_not_there_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "nothing"):
        assert tell(tmp_path / name) is None
    assert tell(Path("/dev/zero")) is None


def test_heif_is_told_from_avif() -> None:
    assert is_heif(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert is_heif(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic")
    assert not is_heif(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf")
    assert not is_heif(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif")
    assert not is_heif(b"\xff\xd8\xff\xe0")


def test_no_beginning_takes_long_or_raises() -> None:
    random = np.random.default_rng(0)
    for begin in (
        b"",
        b"P6",
        b"BM",
        b"<!--" * 200,
        b" " * 900,
        b"\0\0\0\x20ftyp",
        b"OggS",
        b"RIFF",
    ):
        for _ in range(200):
            tell_by_bytes((begin + random.bytes(1024))[: random.integers(0, 1024)])
