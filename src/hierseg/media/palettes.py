"""Colours of classes: those of the data set, or a palette of colours that are easy to distinguish.

``experiments/choose_palettes.py`` chose the tables: for each number of classes the colours whose
smallest distance in CIELAB is largest; for ``colorblind`` also as people with protanopia,
deuteranopia and tritanopia see them. Each class gets a colour near the data set's own, as far as
possible, so that the sky stays bluish and grass greenish.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UsageError
from hierseg.labels import LabelSpace

PaletteName = Literal["dataset", "distinct", "colorblind"]
PALETTES: tuple[PaletteName, ...] = get_args(PaletteName)
BACKGROUND = frozenset({"background", "void", "unlabeled", "unlabelled", "ignore"})
"""Names of background classes, to which pictures give no colour."""

_TABLES: Mapping[str, tuple[str, ...]] = {
    "distinct": (
        "003cc3 00f0ff e1d200 ff1e5a",
        "00a5ff 00ffb4 2d4b00 690fa5 f06900 f0f03c ff2d87 ffe1d2",
        "005a00 00c3ff 00ffd2 2d78ff 4b3c5a 873c00 b400a5 b4ff5a f0e1b4 ff1e69 ffb4f0 ffc300",
        "004b87 0078ff 00961e 009678 00ffb4 3c4b00 690fa5 781e5a 782d0f 786969 96f0ff b4b4ff "
        "c3ff5a d2d296 e10f2d f00087 f0c300 ff87ff ff965a ff96b4",
        "004bd2 00ffd2 0f4b69 1ea569 2da500 2db4f0 3c4b2d 3c6900 3cf0ff 3cff87 4b3c87 4b9696 "
        "693c4b 6996ff 8700a5 874b0f 960069 960f2d 9687b4 a5961e a59678 a5e178 c3f0d2 d21e0f "
        "e1f03c f078a5 f0a5ff ff0069 ff5ae1 ff871e ff9678 ffc300 ffd2e1 ffe196",
        "004b4b 004ba5 006996 0078ff 00a5b4 00b496 00c3ff 00ffc3 0f7800 1e3cc3 1e5a1e 1e96f0 "
        "2dc369 2dfff0 3cb41e 3cff87 4b4b2d 5a4b5a 5a8769 692d96 697800 69a55a 782d00 782d3c "
        "782d69 785a0f 7869a5 8796a5 87b400 87f0ff a5005a a500a5 a51e2d a59678 a5ff69 a5ffc3 "
        "b45a00 b4694b b47887 b478ff b4a500 b4a5ff b4b45a b4d2c3 b4d2ff c31e00 c35ab4 c3f087 "
        "d2963c e1b4e1 e1f03c f01ea5 f0b487 f0f0b4 ff0078 ff4b5a ff69a5 ff69f0 ff780f ff875a "
        "ff9696 ffa500 ffa5ff ffd20f ffd2d2 fff078",
    ),
    "colorblind": (
        "00ffe1 3c2da5 870f00 ffe12d",
        "2d2db4 6996ff 781e69 870f00 877869 d2f0a5 ff872d ffb4e1",
        "3c4b4b 4bb469 5a5ae1 782d87 78ffc3 870f0f a596f0 c3ff87 d23c00 e169a5 f0b41e ffd2ff",
        "2d2db4 4b69f0 4b963c 5a3c4b 5a694b 5ac3c3 780f78 784bb4 78ffff 870f0f 9696d2 96ff69 "
        "b44b96 c387ff c3a500 c3e1c3 d22d0f f06996 f09687 ffe1a5",
        "003cc3 00d269 4b69f0 5a3c3c 5a7887 5aa5ff 690f96 6996b4 69ff78 781e69 78c387 871e1e "
        "874bc3 875a4b a50000 a51e96 a5c3ff a5ffa5 b41e69 b45a3c b469d2 b47878 b4d200 c33c00 "
        "c3f0c3 d2c34b e1690f e1874b e1a5b4 e1e1e1 f01e96 ff78d2 ffd2ff fff03c",
        "004b5a 00784b 0f4bd2 2d69f0 3c2db4 3cf0ff 3cff96 4b2d96 4b691e 4bd2a5 5a5a78 5a6996 "
        "5ab4b4 695a5a 698769 6987b4 69a51e 780f78 782d1e 783c96 78a5d2 87003c 87005a 87874b "
        "87e178 87ffb4 960000 963cc3 966978 9678ff 9696ff 96a587 96c300 96d287 a51e3c a56900 "
        "a5873c a5ff87 b40f78 b41e00 b44b2d b44bc3 b4a569 b4c3ff b4e13c c3a5ff c3f0f0 c3ff69 "
        "d25a69 d26996 d269e1 d27800 d2a55a d2d25a d2d2c3 e10096 e14bb4 e1963c e1f0d2 f087b4 "
        "f0b4d2 f0c3f0 f0f03c ff69d2 ff7887 ffa5a5",
    ),
}


def choose_colors(space: LabelSpace, palette: PaletteName = "dataset") -> npt.NDArray[np.uint8]:
    """(256, 3) uint8 RGB by train id. Ignore and unused train ids are black, as are background
    classes except in the palette ``dataset``.

    Raises:
        UsageError: There is no such palette.
    """
    if palette not in PALETTES:
        raise UsageError(f"--palette {palette!s:.40} is none of {', '.join(PALETTES)}.")
    own = space.color_table()
    if palette == "dataset":
        return own
    shown = [train for train in range(space.num_classes) if train not in find_background(space)]
    own[: space.num_classes] = 0
    if shown:
        own[shown] = _assign(tuple(space.colors[train] for train in shown), palette)
    return own


def recolor(space: LabelSpace, palette: PaletteName) -> LabelSpace:
    """A copy of the label space with a palette's colours; errors as of ``choose_colors``."""
    colors = choose_colors(space, palette)[: space.num_classes].tolist()
    return dataclasses.replace(space, colors=tuple((r, g, b) for r, g, b in colors))


def find_background(space: LabelSpace) -> list[int]:
    """Train ids of background classes, by their names in ``BACKGROUND``."""
    return [train for train, name in enumerate(space.names) if name.lower() in BACKGROUND]


@lru_cache(maxsize=64)
def _assign(own: tuple[tuple[int, int, int], ...], palette: str) -> npt.NDArray[np.uint8]:
    """(N, 3) colours of a palette for classes with these own colours, assigned greedily: of all
    remaining pairs the nearest first.
    """
    table = _read_table(palette, len(own))
    distances = np.linalg.norm(_to_lab(np.array(own))[:, None] - _to_lab(table)[None], axis=2)
    chosen = np.zeros((len(own), 3), np.uint8)
    for _ in own:
        place, color = np.unravel_index(distances.argmin(), distances.shape)
        chosen[place] = table[color]
        distances[place], distances[:, color] = np.inf, np.inf
    return chosen


def _read_table(palette: str, count: int) -> npt.NDArray[np.uint8]:
    """(N, 3) colours, at least ``count``: the smallest table that is large enough, or the largest
    table repeated in other shades.
    """
    tables = [
        np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3) for text in _TABLES[palette]
    ]
    for table in tables:
        if len(table) >= count:
            return table
    largest = tables[-1]
    shades = [largest, largest * np.float64(0.7), 255 - (255 - largest) * np.float64(0.6)]
    repeated = np.concatenate([*shades, *shades])[:count]
    return np.asarray(np.rint(repeated), np.uint8)


def _to_lab(colors: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float32]:
    """(N, 3) RGB in 0..255 as CIELAB."""
    values = np.asarray(colors, np.float32)[None] / 255
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2LAB)[0], np.float32)
