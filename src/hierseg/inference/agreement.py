"""Measures how much windows change an image's labels, on a part that can be run whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hierseg.data import bring_to, resize_image
from hierseg.engines import expect_more
from hierseg.inference.segmentation import Pixels
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.tiling import Windows
from hierseg.size import Size


class Agreement(NamedTuple):
    """How far the labels of two ways of running agree.

    Attributes:
        part: Size in pixels of the compared part of the image.
        share: Share of its pixels whose label is the same in windows as whole, in [0, 1].
    """

    part: Size
    share: float

    def describe(self) -> str:
        """The agreement in words."""
        return f"on a part of {self.part}, {100 * self.share:.2f} % of the labels are the whole's"


def measure_agreement(
    segmenter: Segmenter, image: Pixels, windows: Windows, long_edge: int | None = None
) -> Agreement:
    """Compare labels in windows with those of a whole run, on a part from the middle of an image
    that two neighbouring windows cover.

    Args:
        segmenter: The segmenter; its own windows are not used.
        image: (H, W, 3) uint8 RGB.
        windows: The windows, for the size at which the image is run.
        long_edge: Long edge in pixels at which the image is run; None for the segmenter's.

    Raises:
        UserError: The network cannot run the part, or its outputs are not finite.
    """
    size = Size(*image.shape[:2])
    at = segmenter.find_size(size)
    if long_edge is not None:
        at = bring_to(long_edge, max(size), size)
    part = _choose_part(at, windows)
    top, left = (at.height - part.height) // 2, (at.width - part.width) // 2
    cut = _cut(image, at, top, left, part)
    plain, coming = segmenter.whole(), len(windows.tiles(at))
    # The windows of the image itself come next: a trial of engines pays now if it will for them.
    expect_more(segmenter.engine, coming)
    # Whole first: what its engine frees is free again for that of the windows, which stays.
    whole = plain.segment([cut], max(part))[0].labels
    by_windows = plain.segment([cut], max(part), windows)[0].labels
    expect_more(segmenter.engine, -coming)
    return Agreement(part, float(np.mean(whole == by_windows)))


def _choose_part(size: Size, windows: Windows) -> Size:
    """As long as two neighbouring windows, across where there are any, else down."""
    tile = windows.tiles(size)[0]
    if tile.width < size.width:
        length = min(size.width, tile.width + windows.find_step(tile.width))
        return Size(min(size.height, tile.height), length)
    length = min(size.height, tile.height + windows.find_step(tile.height))
    return Size(length, min(size.width, tile.width))


def _cut(image: Pixels, at: Size, top: int, left: int, part: Size) -> Pixels:
    if tuple(image.shape[:2]) != tuple(at):
        image = resize_image(image, at)
    return image[top : top + part.height, left : left + part.width].copy()
