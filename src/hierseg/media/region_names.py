"""Writes the names of classes on their large regions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.labels import LabelSpace
from hierseg.media.palettes import find_background

SMALLEST_SHARE = 0.01
"""Smallest share of the picture's pixels of a region that gets a name."""
LONGEST_SEARCH = 512
"""Pixels of the longer side of the reduced label map in which regions are searched."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_HEIGHT = 1 / 28
"""Height of a letter as a share of the picture's shorter side."""


def draw_names(
    picture: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], space: LabelSpace
) -> npt.NDArray[np.uint8]:
    """Write a class's name on each of its large regions that has room for it.

    Args:
        picture: (H, W, 3) uint8 RGB; changed in place.
        labels: (H, W) uint8 train ids.
        space: The label space, for the names; background classes get none.

    Returns:
        ``picture``.
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
    """For each large region its innermost pixel: row, column and distance to the border."""
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
    """Write a name centred on a place, white with a dark rim; smaller, or not at all, if there is
    little room.
    """
    text = name.encode("ascii", "replace").decode()  # OpenCV's font is ASCII only
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
    # Drawing thicker text would widen it, so the rim is dilated from the letters.
    rim = cv2.dilate(letters, np.ones((3, 3), np.uint8), iterations=max(1, thickness // 2 + 1))
    for color, mask in ((20, rim), (255, letters)):
        weight = mask[..., None].astype(np.float32) / 255
        part[...] = np.rint(part * (1 - weight) + color * weight)
