"""What a network says about one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.labels import LabelSpace
from hierseg.media import ALPHA, map_rows, render_color, render_overlay

ROWS = 256
"""Of a label map that are counted at a time."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """A segmented image; every map is of the image's size.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        labels: (H, W) uint8 train ids.
        confidence: (H, W) float32 in (0, 1], the softmax of the class chosen; NaN where an exported
            graph gives labels alone.
        label_space: What the train ids mean.
        attention: Scale -> (H, W) float32 in [0, 1], how far the scale decides against larger ones
            (METHOD section 2), for all but the largest; None unless the predictor keeps scales.
        per_scale: Scale -> (H, W) uint8 train ids by that scale alone; None likewise.

    Example:
        prediction = predictor("street.jpg")
        prediction.class_shares()  # {"road": 0.41, "building": 0.22, ...}
        PIL.Image.fromarray(prediction.overlay()).save("overlay.png")
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32]
    label_space: LabelSpace
    attention: dict[float, npt.NDArray[np.float32]] | None = None
    per_scale: dict[float, npt.NDArray[np.uint8]] | None = None

    def color(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) RGB in the classes' colours."""
        return render_color(self.labels, self.label_space)

    def overlay(self, alpha: float = ALPHA) -> npt.NDArray[np.uint8]:
        """(H, W, 3) RGB: the image under the classes' colours, which have the weight ``alpha``."""
        return render_overlay(self.image, self.labels, self.label_space, alpha)

    def raw_ids(self) -> npt.NDArray[Any]:
        """(H, W) ids as the data set's own label files have them, uint8 or uint16."""
        return map_rows(self.label_space.decode, self.labels)

    def class_shares(self) -> dict[str, float]:
        """Name -> share of the pixels, of the classes that occur, the largest first."""
        return class_shares(self.labels, self.label_space)


def class_shares(labels: npt.NDArray[np.uint8], space: LabelSpace) -> dict[str, float]:
    """Name -> share of all pixels, of the classes that occur, the largest first."""
    counts = np.zeros(256, np.int64)
    for top in range(0, len(labels), ROWS):  # bincount makes 64 bits of each label
        counts += np.bincount(labels[top : top + ROWS].ravel(), minlength=256)
    counts = counts[: space.num_classes]
    order = np.argsort(-counts, kind="stable")
    return {space.names[i]: float(counts[i] / labels.size) for i in order if counts[i]}
