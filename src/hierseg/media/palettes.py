"""Colours of classes: those of the data set, or some that can be told apart.

The tables of colours are chosen by ``experiments/choose_palettes.py``: of each number of classes
those whose least distance in CIELAB is the largest, of ``colorblind`` also as people with
protanopia, deuteranopia and tritanopia see them. Which class has which follows the data set's own
colours as far as may be, so that a sky stays bluish and grass greenish.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UsageError
from hierseg.labels import LabelSpace

PaletteName = Literal["dataset", "distinct", "colorblind"]
PALETTES: tuple[PaletteName, ...] = get_args(PaletteName)
BACKGROUND = frozenset({"background", "void", "unlabeled", "unlabelled", "ignore"})
"""Names of classes that stand for nothing: pictures give them no colour."""

_TABLES: Mapping[str, tuple[str, ...]] = {
    "distinct": (
        "0000ff 00ff00 2dc3f0 ff0000",
        "0000ff 0096ff 00ff00 4bffe1 5a3c1e ff0000 ff1eb4 ffd200",
        "0000ff 00ff00 00ffd2 1e3ca5 1e6900 3cc3ff 5a3c3c ff0069 ff3cf0 ff7800 ffe1b4 fff000",
        "0000ff 00ff00 00ffa5 0f4b69 1e9678 1e96ff 3c9600 4b2db4 4b4b00 781e5a 871e00 b4e1ff "
        "f09600 f0f000 f0f0a5 ff0000 ff0078 ff00ff ff96ff ffa5a5",
        "0000ff 004bc3 005a0f 005a78 009687 00d2ff 00ff00 00ff96 00ffe1 0fa500 2d96f0 5a3c3c "
        "780087 784b00 87003c 875a96 879600 960000 964bff 969669 c3f0e1 c3ff78 d287ff d2c3f0 "
        "f0f000 ff0000 ff00ff ff0f69 ff0fb4 ff874b ff87c3 ffb400 ffb4a5 ffe187",
        "003cff 004b5a 004b87 005a00 0069ff 00785a 0087b4 00d2ff 00ff00 00ff96 00ffd2 0f3ca5 "
        "0fa500 0fb469 1ea5ff 3c4b1e 4b1eb4 5a3c3c 5ab4b4 693c0f 693c78 696900 697869 69ffff "
        "780087 7878d2 78a53c 78ff5a 870f4b 8787a5 96b487 a500ff a51e00 a55a00 a569f0 a5875a "
        "a5c300 b400c3 b40f3c b45a4b b45ab4 b46987 b49600 b4ffb4 c30f87 c3c3ff c3f0ff c3ff00 "
        "c3ff78 e1b4c3 f0a5f0 f0e1c3 ff0000 ff0078 ff00c3 ff00ff ff4b4b ff78b4 ff78ff ff8700 "
        "ff875a ffb45a ffb496 ffc300 fff000 fff078",
    ),
    "colorblind": (
        "00ffe1 4b0fc3 870f00 ffe100",
        "00ff96 5a9687 6900e1 780f87 870f1e d2ff00 e196ff f02d00",
        "003cff 5a1ea5 69a569 69ff87 782d78 870f3c a578f0 b4000f c3ff00 d278b4 f0781e ffd2d2",
        "2d4b00 2d784b 4b69ff 5a3c4b 6900b4 6900ff 697800 69ff69 780f78 785ac3 78b400 87c3f0 "
        "a596ff a5ff2d b45aa5 b4a55a e16996 e1f0f0 ffa5a5 ffe1a5",
        "0000f0 00875a 00c3c3 2d3c87 2d4b1e 6900a5 6900d2 692d69 695a00 695a96 7887b4 871e4b "
        "874bff 87ffa5 963cc3 964b78 9678d2 a58796 a5c378 a5d2ff b40f3c b4783c b4a5ff b4ff87 "
        "c369ff c3b496 d2690f d2a54b d2e1f0 d2f000 f02d69 f09600 f0d24b ffe1d2",
        "000fff 0f4b3c 1e4be1 1e69b4 1eb478 3c00d2 3c87d2 4b3c78 4b6969 4bf05a 5a3c1e 5a692d "
        "5a8787 6900a5 690fc3 69874b 69c3ff 781e5a 783c00 784b78 87003c 870096 872dc3 8769a5 "
        "8796b4 87c34b 87e12d 87ff1e 87ffd2 960f87 965aff 96695a 9678ff 96964b a50fff a51e5a "
        "a54b00 a596d2 a5b469 a5b4c3 a5d2c3 b41eb4 b4ffb4 c32d96 c38769 c387ff c3a5a5 c3b4e1 "
        "c3d278 c3d2e1 c3ff5a d21e3c d23c78 d24bd2 d2f0f0 e15a0f e15a96 e1a596 e1d2b4 e1d2ff "
        "e1f096 f0870f f0c396 ff0f3c ff96ff ffa500",
    ),
}


def choose_colors(space: LabelSpace, palette: PaletteName = "dataset") -> npt.NDArray[np.uint8]:
    """(256, 3) RGB by train id; black for ignore, for what no class has, and, but of the data set's
    own colours, for a class of the background.

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


def find_background(space: LabelSpace) -> list[int]:
    """Train ids of the classes that stand for nothing."""
    return [train for train, name in enumerate(space.names) if name.lower() in BACKGROUND]


@lru_cache(maxsize=64)
def _assign(own: tuple[tuple[int, int, int], ...], palette: str) -> npt.NDArray[np.uint8]:
    """(N, 3) colours for classes of those colours: again and again the nearest of all pairs that
    are left.
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
    """At least so many colours, (N, 3): the smallest table that has them; beyond the largest, its
    colours again in other shades.
    """
    tables = [
        np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3) for text in _TABLES[palette]
    ]
    for table in tables:
        if len(table) >= count:
            return table
    largest = tables[-1]
    shades = [largest, largest * np.float64(0.7), 255 - (255 - largest) * np.float64(0.6)]
    repeated = np.concatenate([*shades, *shades])
    return np.rint(repeated[:count]).astype(np.uint8)


def _to_lab(colors: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:  # type: ignore[type-arg]
    """(N, 3) RGB in 0..255 as CIELAB."""
    values = np.asarray(colors, np.float32)[None] / 255
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2LAB), np.float32)[0]
