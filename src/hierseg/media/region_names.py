"""Names of classes, written upon their large regions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.labels import LabelSpace
from hierseg.media.palettes import find_background

SMALLEST_SHARE = 0.01
"""Of the picture: what a region has that is named."""
LONGEST_SEARCH = 512
"""Pixels of the longer side at which regions are looked for."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_HEIGHT = 1 / 28
"""Of a letter, as a share of the picture's shorter side."""


def draw_names(
    picture: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], space: LabelSpace
) -> npt.NDArray[np.uint8]:
    """Write each class's name once upon each large region of it, where there is room for it.

    Args:
        picture: (H, W, 3) RGB; written upon.
        labels: (H, W) train ids.
        space: Gives the names; the background has none.

    Returns:
        The picture.
    """
    size = np.array(labels.shape)
    factor = min(1.0, LONGEST_SEARCH / size.max())
    small = cv2.resize(
        labels,
        tuple(int(side) for side in np.maximum(1, (size * factor).round())[::-1]),
        interpolation=cv2.INTER_NEAREST,
    )
    letter = max(8.0, min(size) * _HEIGHT)
    for train in set(np.unique(small).tolist()) - {space.ignore, *find_background(space)}:
        if train >= space.num_classes:
            continue
        for row, column, room in _find_places(small == train):
            place = (np.array([row, column]) + 0.5) / factor
            _write(picture, space.names[train], place, letter, 2 * room / factor)
    return picture


def _find_places(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int, float]]:
    """Row, column and distance to the border of the innermost pixel of each large region."""
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    places = []
    for number in range(1, count):
        if facts[number, cv2.CC_STAT_AREA] < SMALLEST_SHARE * mask.size:
            continue
        region = np.pad((numbers == number).astype(np.uint8), 1)  # the picture's edge is a border
        inward = cv2.distanceTransform(region, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(inward.argmax()), inward.shape)
        places.append((int(row), int(column), float(inward[row, column])))
    return places


def _write(
    picture: npt.NDArray[np.uint8],
    name: str,
    place: npt.NDArray[np.floating[Any]],
    letter: float,
    room: float,
) -> None:
    """Write a name about a place, white with a dark rim, smaller where there is less room."""
    text = name.encode("ascii", "replace").decode()  # the font has no other letters
    (width, height), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
    scale = min(letter / height, 1.6 * room / width, room / height)
    if scale * height < max(7.0, 0.5 * letter):
        return
    thickness = max(1, round(scale * height / 9))
    left = int(np.clip(place[1] - scale * width / 2, 2, picture.shape[1] - scale * width - 2))
    bottom = int(np.clip(place[0] + scale * height / 2, scale * height + 2, picture.shape[0] - 2))
    letters = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(letters, text, (left, bottom), _FONT, scale, 255, thickness, cv2.LINE_AA)
    margin = 2 * thickness + 2
    rows = slice(max(0, bottom - int(1.3 * scale * height) - margin), bottom + height + margin)
    columns = slice(max(0, left - margin), left + int(scale * width) + margin)
    part, letters = picture[rows, columns], letters[rows, columns]
    # Text that is drawn thicker runs wider, so the rim is grown from the letters themselves.
    rim = cv2.dilate(letters, np.ones((3, 3), np.uint8), iterations=max(1, thickness // 2 + 1))
    for color, mask in ((20, rim), (255, letters)):
        weight = mask[..., None].astype(np.float32) / 255
        part[...] = np.rint(part * (1 - weight) + color * weight)
