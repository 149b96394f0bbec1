from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hierseg.data.reading import DataError, read_confidence, read_dataset_image, read_label_ids

HEIGHT, WIDTH = 9, 13
KNOWN = frozenset({0, 7, 11, 23, 255})


def pick(ids: tuple[int, ...]) -> np.ndarray:
    """A map in which all of these ids are, from a fixed lot."""
    random = np.random.default_rng(len(ids))
    chosen = random.integers(0, len(ids), (HEIGHT, WIDTH))
    chosen[0, : len(ids)] = range(len(ids))
    return np.array(ids, np.uint8)[chosen]


def pack(samples: np.ndarray, bits: int, align: int = 1) -> list[bytes]:
    """Rows of samples of so many bits, padded to so many bytes."""
    rows = []
    for row in samples:
        digits = "".join(format(value, f"0{bits}b") for value in row.tolist())
        digits = digits.ljust(-(-len(digits) // (8 * align)) * 8 * align, "0")
        rows.append(int(digits, 2).to_bytes(len(digits) // 8))
    return rows


def write_png(path: Path, samples: np.ndarray, bits: int, palette: Any = None) -> None:
    """A PNG chunk by chunk, as an optimiser would write it: grey, or with a palette of RGB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    height, width = samples.shape
    kind = 0 if palette is None else 3
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    if palette is not None:
        parts.append(chunk(b"PLTE", bytes(np.array(palette, np.uint8).tobytes())))
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in pack(samples, bits)))))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IEND", b"")]))


def write_bmp(path: Path, samples: np.ndarray, bits: int, greys: list[int]) -> None:
    height, width = samples.shape
    rows = b"".join(reversed(pack(samples, bits, 4)))
    start = 54 + 4 * len(greys)
    path.write_bytes(
        b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(rows), 0, 0, len(greys), 0)
        + b"".join(bytes((grey, grey, grey, 0)) for grey in greys) + rows
    )  # fmt: skip


def write_tiff(path: Path, samples: np.ndarray, bits: int) -> None:
    """Grey, black is zero, one strip."""
    height, width = samples.shape
    rows = b"".join(pack(samples, bits))
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1),
            (278, height), (279, len(rows))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + directory)


def shuffle(ids: np.ndarray, greys: list[int]) -> np.ndarray:
    """Places of ids in a palette."""
    return np.vectorize(greys.index)(ids).astype(np.uint8)


def grey_palette(greys: list[int]) -> list[list[int]]:
    return [[grey] * 3 for grey in greys]


PALETTES: dict[str, Callable[[Path, np.ndarray, list[int]], None]] = {
    "png": lambda path, places, greys: write_png(path, places, 4, grey_palette(greys)),
    "bmp": lambda path, places, greys: write_bmp(path, places, 4, greys),
    "gif": lambda path, places, greys: save_palette(path, places, greys, "GIF"),
    "tif": lambda path, places, greys: save_palette(path, places, greys, "TIFF"),
}


def save_palette(path: Path, places: np.ndarray, greys: list[int], kind: str) -> None:
    picture = Image.fromarray(places)
    picture = picture.convert("P") if picture.mode != "P" else picture
    picture.putdata(places.ravel().tolist())
    picture.putpalette([part for grey in greys for part in (grey,) * 3])
    picture.save(path, kind, **({"optimize": False} if kind == "GIF" else {}))


@pytest.mark.parametrize("kind", PALETTES)
def test_greys_that_alone_are_known_are_the_ids(tmp_path: Path, kind: str) -> None:
    ids, greys, path = pick((0, 7, 11, 23)), [23, 0, 11, 7], tmp_path / f"map.{kind}"
    PALETTES[kind](path, shuffle(ids, greys), greys)
    assert np.array_equal(read_label_ids(path, KNOWN), ids)


@pytest.mark.parametrize("kind", PALETTES)
def test_places_that_alone_are_known_are_the_ids(tmp_path: Path, kind: str) -> None:
    places, path = pick((0, 1, 2)), tmp_path / f"map.{kind}"
    PALETTES[kind](path, places, [0, 100, 200])
    assert np.array_equal(read_label_ids(path, frozenset({0, 1, 2, 255})), places)


@pytest.mark.parametrize("kind", PALETTES)
def test_a_palette_in_which_every_place_holds_its_number_is_the_same_either_way(
    tmp_path: Path, kind: str
) -> None:
    ids, path = pick((0, 1, 2, 3, 4)), tmp_path / f"map.{kind}"
    PALETTES[kind](path, ids, [*range(8)])
    for palette in (None, "indices", "values"):
        assert np.array_equal(read_label_ids(path, frozenset({77}), palette), ids)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", PALETTES)
@pytest.mark.parametrize("known", [frozenset(range(12)), frozenset({99}), None])
def test_what_could_be_read_both_ways_or_neither_is_refused_with_the_cure(
    tmp_path: Path, kind: str, known: frozenset[int] | None
) -> None:
    ids, greys, path = pick((0, 1, 2, 3)), [3, 1, 0, 2], tmp_path / f"map.{kind}"
    places = shuffle(ids, greys)
    PALETTES[kind](path, places, greys)
    way = "neither the indices" if known == {99} else "both the indices"
    cure = r"palette: indices or palette: values in a description, --palette \(--data\.palette"
    with pytest.raises(DataError, match=rf"map\.{kind}' has a palette of greys.*{way}.*{cure}"):
        read_label_ids(path, known)
    assert np.array_equal(read_label_ids(path, known, "values"), ids)
    assert np.array_equal(read_label_ids(path, known, "indices"), places)


def test_a_palette_of_colors_means_indices_whatever_is_said(tmp_path: Path) -> None:
    places, path = pick((0, 1, 2)), tmp_path / "map.png"
    write_png(path, places, 2, [[0, 0, 0], [128, 0, 0], [7, 7, 7]])
    for palette in (None, "indices", "values"):
        assert np.array_equal(read_label_ids(path, KNOWN, palette), places)  # type: ignore[arg-type]


def test_only_places_that_are_used_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    write_png(path, pick((0, 2)), 8, grey_palette([7, 99, 23]))
    assert np.array_equal(read_label_ids(path, KNOWN), np.where(pick((0, 2)) == 2, 23, 7))


FEW_BITS: dict[str, Callable[[Path, np.ndarray, int], None]] = {
    "png": write_png,
    "tif": write_tiff,
}


@pytest.mark.parametrize("kind", FEW_BITS)
@pytest.mark.parametrize(("bits", "ids"), [(1, (0, 1)), (2, (0, 1, 2, 3)), (4, (0, 3, 11, 15))])
def test_samples_of_few_bits_are_numbers(
    tmp_path: Path, kind: str, bits: int, ids: tuple[int, ...]
) -> None:
    samples, path = pick(ids), tmp_path / f"map.{kind}"
    FEW_BITS[kind](path, samples, bits)
    for known in (None, frozenset({*ids, 255}), frozenset({200})):
        read = read_label_ids(path, known)
        assert read.dtype == np.uint8
        assert np.array_equal(read, samples)
    # To the eye they are as bright as before.
    factor = {1: 255, 2: 85, 4: 17}[bits]
    assert np.array_equal(read_dataset_image(path)[..., 0], samples * factor)
    assert np.array_equal(read_label_ids(path, None, "values"), samples * factor)
    assert np.array_equal(read_confidence(path), samples * factor)


@pytest.mark.parametrize("kind", [*FEW_BITS, "bmp", "gif"])
def test_white_at_one_bit_is_255_where_the_ids_say_so(tmp_path: Path, kind: str) -> None:
    samples, path = pick((0, 1)), tmp_path / f"map.{kind}"
    if kind == "bmp":
        write_bmp(path, samples, 1, [0, 255])
    elif kind == "gif":
        save_palette(path, samples, [0, 255], "GIF")
    else:
        FEW_BITS[kind](path, samples, 1)
    assert np.array_equal(read_label_ids(path, frozenset({0, 255})), samples * 255)
    assert np.array_equal(read_label_ids(path, frozenset({0, 1})), samples)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("greys", [[0, 255], [*range(16)]])
def test_a_bitmap_with_plain_greys_is_unpacked_by_its_own_bits(
    tmp_path: Path, bits: int, greys: list[int]
) -> None:
    samples, path = pick((0, 1) if len(greys) == 2 else (0, 5, 11, 15)), tmp_path / "map.bmp"
    write_bmp(path, samples, bits, greys)
    assert np.array_equal(read_dataset_image(path)[..., 0], np.array(greys)[samples])
    assert np.array_equal(read_label_ids(path, frozenset(range(16))), samples)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("highest", [11, 15, 100, 255, 300, 65535])
def test_samples_of_a_netpbm_are_numbers(tmp_path: Path, highest: int, plain: bool) -> None:
    path = tmp_path / "map.pgm"
    samples = np.array([[0, 1, 5], [highest, highest // 2, 11]], np.uint16)
    if plain:
        body = " ".join(map(str, samples.ravel().tolist())).encode()
    else:
        body = samples.astype(">u2" if highest > 255 else np.uint8).tobytes()
    path.write_bytes(b"P%d\n3 2\n%d\n" % (2 if plain else 5, highest) + body)
    assert np.array_equal(read_label_ids(path), samples)


def test_a_transparent_color_changes_no_id(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    picture = Image.fromarray(pick((0, 1, 2))).convert("P")
    picture.putdata(pick((0, 1, 2)).ravel().tolist())
    picture.putpalette([9, 0, 0, 0, 9, 0, 0, 0, 9])
    picture.save(path, transparency=bytes([255, 0, 255]))
    assert np.array_equal(read_label_ids(path), pick((0, 1, 2)))
    Image.fromarray(pick((0, 7, 255))).save(path, transparency=7)
    assert np.array_equal(read_label_ids(path), pick((0, 7, 255)))
    Image.merge("LA", [Image.fromarray(pick((0, 7))), Image.new("L", (WIDTH, HEIGHT))]).save(path)
    with pytest.raises(DataError, match=r"map\.png' has 2 channels"):
        read_label_ids(path)


def test_pillow_and_the_fast_decoder_agree(tmp_path: Path) -> None:
    """A chunk that only Pillow is trusted with changes no id."""
    path = tmp_path / "map.png"
    for bits, ids in ((1, (0, 1)), (2, (0, 3)), (4, (0, 9)), (8, (0, 9, 255))):
        write_png(path, pick(ids), bits)
        fast, data = read_label_ids(path), path.read_bytes()
        comment = b"eXIf" + b"II*\0\x08\0\0\0\0\0\0\0\0\0"
        chunk = struct.pack(">I", len(comment) - 4) + comment
        chunk += struct.pack(">I", zlib.crc32(comment))
        path.write_bytes(data[:33] + chunk + data[33:])
        assert np.array_equal(read_label_ids(path), fast)
        assert np.array_equal(fast, pick(ids))
