"""Which ids the pixels of a label map stand for, where its file leaves that open.

Lossless optimisers (oxipng, optipng) store a map of grey values as indices of a palette of greys,
or with 1, 2 or 4 bits a pixel. A viewer shows the same picture, but the stored numbers are others.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Palette = Literal["indices", "values"]
"""What the ids of a label map with a palette of greys are: indices of the palette, or its greys."""
CURE = (
    "palette: indices or palette: values in a description, --palette (--data.palette in training)"
)
SHOWN = 6


class PaletteError(ValueError):
    """Ids that can be read in two ways; ``str(error)`` goes behind the file's name."""


class Numbers(NamedTuple):
    """The pixels of a label map.

    Attributes:
        stored: (H, W) integers as the file stores them: samples, or indices of a palette.
        shown: (256,) the brightness that each number is shown with, -1 if it is not in the palette;
            None for a palette of colours, or if each is shown with its own number.
        has_palette: Whether the numbers are indices of a palette.
    """

    stored: npt.NDArray[Any]
    shown: npt.NDArray[np.int16] | None = None
    has_palette: bool = False


def read_numbers(picture: Image.Image, bits: int) -> Numbers:
    """The numbers of a picture.

    Args:
        picture: The picture; with several channels ``stored`` has three dimensions.
        bits: Bits of a sample in its file.
    """
    highest = _find_highest(picture)  # before it is decoded
    pixels = np.array(picture)
    if picture.mode == "P":
        return Numbers(pixels, _read_greys(picture), has_palette=True)
    if picture.mode == "1":
        return Numbers(pixels.astype(np.uint8), _scale(1))
    if picture.mode == "L" and bits in (2, 4):  # Pillow spreads them over 0 to 255
        return Numbers(pixels // (255 // (2**bits - 1)), _scale(bits))
    if highest is not None and picture.mode in ("L", "I"):  # these as well
        range_of = 255 if picture.mode == "L" else 65535
        pixels = np.rint(pixels.astype(np.float64) * highest / range_of).astype(np.uint16)
        return Numbers(pixels.astype(np.uint8) if highest < 256 else pixels)
    return Numbers(pixels)


def choose_ids(
    numbers: Numbers,
    known: Collection[int] | None,
    palette: Palette | None,
    also: Collection[int] = (),
) -> npt.NDArray[Any]:
    """(H, W) ids.

    The indices of a palette of colours are the ids, as in Pascal VOC. Of a palette of greys, the
    indices or the greys are the ids, whichever give known ids alone. Samples of 1, 2 and 4 bits are
    the ids, unless they are unknown and the brightnesses that they are shown with are known.

    Args:
        numbers: The numbers of the file.
        known: Ids that may occur; None for any.
        palette: The user's choice, which decides.
        also: Further ids that greys may be, by which a prediction in the other numbering (raw ids
            for train ids, or the reverse) is recognised; its indices are then not taken for ids.

    Raises:
        PaletteError: Indices and greys are both known ids, or neither are.
    """
    stored, shown, has_palette = numbers
    if shown is None or palette == "indices":
        return stored
    places = np.flatnonzero(np.bincount(stored.ravel()))
    values = shown[places]
    if np.array_equal(places, values):
        return stored
    if palette is None:
        by_place, by_value = _all_known(places, known), _all_known(values, known)
        if has_palette and by_place and not by_value and known is not None:
            by_value = _all_known(values, {*known, *also})
        if has_palette and by_place == by_value:
            raise PaletteError(_describe(places, values, by_place))
        if by_place or not by_value:
            return stored
    if values.min() < 0:
        raise PaletteError("has pixels of no colour in its palette; save it again")
    ids: npt.NDArray[np.uint8] = shown.astype(np.uint8)[stored]
    return ids


def _all_known(ids: npt.NDArray[Any], known: Collection[int] | None) -> bool:
    return bool(ids.min() >= 0) and (known is None or all(raw in known for raw in ids.tolist()))


def _describe(places: npt.NDArray[Any], values: npt.NDArray[Any], both: bool) -> str:
    first, second = ("both the", "and the") if both else ("neither the", "nor the")
    return (
        f"has a palette of greys, of which {first} indices ({_list(places)}) {second} greys "
        f"({_list(values)}) are all ids of the data set; say which of the two are meant: {CURE}"
    )


def _list(ids: npt.NDArray[Any]) -> str:
    return ", ".join(map(str, ids[:SHOWN].tolist())) + (", ..." if len(ids) > SHOWN else "")


def _read_greys(picture: Image.Image) -> npt.NDArray[np.int16] | None:
    """(256,) grey by place, -1 behind the palette's end; None of a palette of colours."""
    colors = np.array(picture.getpalette("RGB") or [], np.int16).reshape(-1, 3)
    if (colors != colors[:, :1]).any():
        return None
    greys = np.full(256, -1, np.int16)
    greys[: len(colors)] = colors[:256, 0]
    return greys


def _scale(bits: int) -> npt.NDArray[np.int16]:
    """(256,) brightness of samples of so many bits."""
    count = 2**bits
    shown = np.full(256, -1, np.int16)
    shown[:count] = np.arange(count) * (255 // (count - 1))
    return shown


def _find_highest(picture: Image.Image) -> int | None:
    """The highest sample that a netpbm says to have; None of other files."""
    tiles = getattr(picture, "tile", None)
    if picture.format != "PPM" or not tiles or not isinstance(tiles[0].args, tuple):
        return None
    return int(tiles[0].args[1])
