"""How colours look, and how far apart they look, to people with and without colour blindness.

The simulation is that of Machado, Oliveira and Fernandes (2009, "A physiologically-based model for
simulation of color vision deficiency"), severity 1, whose matrices act on linear RGB. Distances are
Euclidean in CIELAB (CIE 1976) under D65: about 2 can just be seen side by side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

VISIONS: dict[str, Array] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
_TO_XYZ = np.array(
    [
        [0.4123908, 0.3575843, 0.1804808],
        [0.2126390, 0.7151687, 0.0721923],
        [0.0193308, 0.1191948, 0.9505322],
    ]
)
_WHITE = _TO_XYZ.sum(axis=1)


def to_lab(colors: npt.ArrayLike, vision: str = "normal") -> Array:
    """(N, 3) sRGB in 0..255 as CIELAB, as somebody with that vision sees them."""
    values = np.asarray(colors, np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ VISIONS[vision].T, 0, 1)
    ratios = seen @ _TO_XYZ.T / _WHITE
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def measure_distances(colors: npt.ArrayLike, visions: tuple[str, ...] = tuple(VISIONS)) -> Array:
    """(N, N) distances of (N, 3) sRGB colours, the least over several visions."""
    found = []
    for vision in visions:
        lab = to_lab(colors, vision)
        found.append(np.linalg.norm(lab[:, None] - lab[None], axis=2))
    return np.asarray(np.min(found, axis=0))
