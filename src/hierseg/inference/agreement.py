"""How far windows change an image's labels: measured on a part that can be run whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hierseg.data import bring_to, resize_image
from hierseg.inference.segmentation import Pixels
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.tiling import Windows
from hierseg.size import Size

ACROSS = 512
"""Most pixels of the part's shorter side."""


class Agreement(NamedTuple):
    """What was found.

    Attributes:
        part: Size of the part.
        share: Of its labels that are the same by windows as whole, in [0, 1].
    """

    part: Size
    share: float

    def describe(self) -> str:
        """In words."""
        return f"on a part of {self.part}, {100 * self.share:.2f} % of the labels are the whole's"


def measure_agreement(
    segmenter: Segmenter, image: Pixels, windows: Windows, long_edge: int | None = None
) -> Agreement:
    """Compare labels by windows and without, on a strip of an image's middle that two windows see.

    The strip is as long as the two, and at most ``ACROSS`` pixels wide: it costs a fraction of the
    image, and a window's edge crosses all of it.

    Args:
        segmenter: Its own windows do not count.
        image: (H, W, 3) uint8 RGB.
        windows: Of the size that the image is run at.
        long_edge: That it is run at, instead of the segmenter's.

    Raises:
        UserError: A part that the network cannot run, or a network that gives no numbers.
    """
    size = Size(*image.shape[:2])
    at = segmenter.find_size(size)
    if long_edge is not None:
        at = bring_to(long_edge, max(size), size)
    part = _choose_part(at, windows)
    top, left = (at.height - part.height) // 2, (at.width - part.width) // 2
    cut = _cut(image, at, top, left, part)
    plain = segmenter.whole()
    whole = plain.segment([cut], max(part))[0].labels
    by_windows = plain.segment([cut], max(part), windows)[0].labels
    return Agreement(part, float(np.mean(whole == by_windows)))


def _choose_part(size: Size, windows: Windows) -> Size:
    """As long as two neighbouring windows, across where there are any, else down."""
    tile = windows.tiles(size)[0]
    if tile.width < size.width:
        length = min(size.width, tile.width + windows.find_step(tile.width))
        return Size(min(size.height, tile.height, ACROSS), length)
    length = min(size.height, tile.height + windows.find_step(tile.height))
    return Size(length, min(size.width, tile.width, ACROSS))


def _cut(image: Pixels, at: Size, top: int, left: int, part: Size) -> Pixels:
    if tuple(image.shape[:2]) != tuple(at):
        image = resize_image(image, at)
    return image[top : top + part.height, left : left + part.width].copy()
