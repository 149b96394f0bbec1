"""Damaged pictures of every format, as images and as label maps: pixels or a sentence, no more."""

from __future__ import annotations

import io
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.checking.headers import read_image_header
from hierseg.data.endings import tell_by_bytes
from hierseg.data.reading import (
    DataError,
    is_turned_by_exif,
    read_confidence,
    read_dataset_image,
    read_label_colors,
    read_label_ids,
)
from hierseg.labels import LabelSpace
from hierseg.media.pictures import UnreadableImageError
from hierseg.media.pictures import read_image as read_user_image

FILES = 40
"""Damaged files of each kind and damage."""
LONGEST = 10.0
"""Seconds of CPU that no single file may take."""
HEIGHT, WIDTH = 40, 56
RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
IDS = RANDOM.integers(0, 4, (HEIGHT, WIDTH), np.uint8)
SPACE = LabelSpace("toy", tuple("abcd"), ((0, 0, 0),) * 4, (0, 1, 2, 3), (255,))


def save(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def list_originals() -> Iterator[tuple[str, bytes]]:
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb, ids = Image.fromarray(RGB), Image.fromarray(IDS)
    palette = ids.convert("P")
    palette.putdata(IDS.ravel().tolist())
    palette.putpalette([3, 3, 3, 0, 0, 0, 2, 2, 2, 1, 1, 1])
    yield "JPEG", save(rgb, "JPEG", exif=exif)
    yield "progressive JPEG", save(rgb, "JPEG", progressive=True)
    yield "MPO", save(rgb, "MPO", save_all=True, append_images=[rgb])
    yield "PNG", save(rgb, "PNG", exif=exif)
    yield "PNG of ids", save(ids, "PNG")
    yield "PNG of 1 bit", save(Image.fromarray(IDS > 1), "PNG")
    yield "PNG of 2 bits", save(palette, "PNG", bits=2)
    yield "PNG of 16 bits", save(Image.fromarray(IDS.astype(np.uint16) * 300), "PNG")
    yield "PNG of several", save(rgb, "PNG", save_all=True, append_images=[rgb])
    yield "BMP", save(rgb, "BMP")
    yield "BMP with a palette", save(palette, "BMP")
    yield "GIF", save(palette, "GIF", comment=b"a comment")
    yield "TIFF", save(rgb, "TIFF")
    yield "TIFF by LZW", save(ids, "TIFF", compression="tiff_lzw")
    yield "TIFF by JPEG", save(rgb, "TIFF", compression="jpeg")
    yield "WEBP", save(rgb, "WEBP")
    yield "WEBP without loss", save(rgb, "WEBP", lossless=True, exif=exif)
    yield "PPM", save(rgb, "PPM")
    yield "PGM in words", b"P2 # ids\n3 2\n11\n0 1 2 3 4 11\n"
    yield "JPEG 2000", save(rgb, "JPEG2000")
    if features.check("avif"):
        yield "AVIF", save(rgb, "AVIF")


def cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(0, len(data))]


def flip(data: bytes, random: np.random.Generator) -> bytes:
    """Some bits of the whole, or of its header alone."""
    array = np.frombuffer(data, np.uint8).copy()
    end = len(array) if random.random() < 0.5 else min(len(array), 200)
    places = random.integers(0, end, random.integers(1, 12))
    array[places] ^= (1 << random.integers(0, 8, len(places))).astype(np.uint8)
    return array.tobytes()


def write_over(data: bytes, random: np.random.Generator) -> bytes:
    """A run of zeros, of 255 or of noise in place of what was there."""
    place, count = random.integers(0, len(data)), int(random.integers(1, 64))
    filling = (bytes(count), b"\xff" * count, random.bytes(count))[random.integers(0, 3)]
    return data[:place] + filling + data[place + count :]


def insert(data: bytes, random: np.random.Generator) -> bytes:
    """A part of the file once more, somewhere else."""
    begin, place = random.integers(0, len(data), 2)
    return data[:place] + data[begin : begin + 300] + data[place:]


DAMAGES = (cut, flip, write_over, insert)
KNOWN = frozenset({0, 1, 2, 3, 255})
READERS: dict[str, Callable[[Path], object]] = {
    "image": read_dataset_image,
    "image of a user": read_user_image,
    "header": read_image_header,
    "orientation": is_turned_by_exif,
    "ids": lambda path: read_label_ids(path, KNOWN),
    "any ids": read_label_ids,
    "colours": read_label_colors,
    "confidence": read_confidence,
    "pair": lambda path: SegmentationDataset("toy", "train", SPACE, [Sample("a", path, path)]).read(
        0
    ),
}


@pytest.mark.slow
def test_no_damage_leads_to_more_than_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    outcomes = Counter[str]()
    for kind, whole in list_originals():
        for damage in DAMAGES:
            for seed in range(FILES):
                data = damage(whole, np.random.default_rng([seed, len(whole)]))
                path.write_bytes(data)
                tell_by_bytes(data[:1024])
                for reader, read in READERS.items():
                    outcomes[
                        _outcome(read, path, f"{reader} of {kind}, {damage.__name__} {seed}")
                    ] += 1
    print(dict(outcomes), "of", outcomes.total())
    assert outcomes["read"] > 1000
    assert outcomes["refused"] > 1000


def _outcome(read: Callable[[Path], object], path: Path, what: str) -> str:
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
        outcome = "read"
    except (DataError, UnreadableImageError) as error:
        outcome = "refused" if str(path) in str(error) and "\n" not in str(error) else str(error)
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error
    assert outcome in ("read", "refused"), f"{what}: {outcome}"
    assert time.process_time() - began < LONGEST, what
    return outcome
