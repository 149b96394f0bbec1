"""Labels, confidence and further maps of one image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.inference.tiling import Tile
from hierseg.size import Size

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The maps of one segmented image, all of the image's size.

    Attributes:
        labels: (H, W) uint8 train ids.
        confidence: (H, W) float32 in (0, 1], the softmax of the chosen class; NaN if an exported
            graph gives only labels.
        attention: Scale -> (H, W) float32 in [0, 1], for the scales whose attention is used; None
            unless scales are kept.
        per_scale: Scale -> (H, W) uint8 train ids by that scale alone; None unless scales are kept.
        probabilities: (K, H, W) float32 in [0, 1], every class's softmax; None unless kept.
    """

    labels: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32]
    attention: dict[float, npt.NDArray[np.float32]] | None = None
    per_scale: dict[float, npt.NDArray[np.uint8]] | None = None
    probabilities: npt.NDArray[np.float32] | None = None

    def drop_below(self, confidence: float, ignore: int) -> Segmentation:
        """A copy whose labels with a lower confidence are ``ignore``."""
        unsure = self.confidence < confidence
        return replace(self, labels=np.where(unsure, np.uint8(ignore), self.labels))

    def place(self, tile: Tile, size: tuple[int, int], ignore: int) -> Segmentation:
        """The maps of a larger (H, W) image of which this is the part ``tile``; outside it labels
        are ``ignore`` and all else is 0.
        """

        def around(values: npt.NDArray[Any], fill: int = 0) -> npt.NDArray[Any]:
            whole = np.full((*values.shape[:-2], *size), fill, values.dtype)
            bottom, right = tile.top + tile.height, tile.left + tile.width
            whole[..., tile.top : bottom, tile.left : right] = values
            return whole

        return Segmentation(
            around(self.labels, ignore),
            around(self.confidence),
            self.attention and {key: around(one) for key, one in self.attention.items()},
            self.per_scale and {key: around(one, ignore) for key, one in self.per_scale.items()},
            None if self.probabilities is None else around(self.probabilities),
        )


def make_decided(
    labels: npt.NDArray[np.uint8], confidence: npt.NDArray[np.float32] | None
) -> Segmentation:
    """A segmentation from an exported graph's (H, W) labels and confidence; None becomes NaN."""
    if confidence is None:
        confidence = np.full(labels.shape, np.nan, np.float32)
    return Segmentation(labels, confidence)


def make_canvas(
    size: Size,
    attention: Iterable[float] | None,
    per_scale: Iterable[float] | None,
    classes: int | None = None,
) -> Segmentation:
    """A segmentation with uninitialised maps, to be filled."""
    return Segmentation(
        np.empty(size, np.uint8),
        np.empty(size, np.float32),
        None if attention is None else {scale: np.empty(size, np.float32) for scale in attention},
        None if per_scale is None else {scale: np.empty(size, np.uint8) for scale in per_scale},
        None if classes is None else np.empty((classes, *size), np.float32),
    )
