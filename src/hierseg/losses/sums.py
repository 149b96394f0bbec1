"""The weight of one process's images, or of one batch of a step, in the loss of the whole step."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from hierseg.processes import count_processes


class Share(NamedTuple):
    """A batch's part of a step of several batches.

    Attributes:
        pixels: Its share of the counted pixels, in [0, 1]; the weight of a mean over pixels.
        images: Its share of the images, in [0, 1]; the weight of a mean over images.
    """

    pixels: float = 1.0
    images: float = 1.0


WHOLE = Share()


def sum_over_images(total: Tensor, batch: int, images: int | None) -> Tensor:
    """A process's sum over its images, scaled so that the mean over processes is the step's loss.

    The published runs of VPLR took sums over two images and averaged them over eight processes. A
    sum over all sixteen images is eight times as large, and would change with the step's images.
    With ``images`` = 2 the loss is the published one, however a step's images are spread.

    Args:
        total: Scalar, the sum over this process's images.
        batch: Number of this process's images.
        images: Scale the sum to so many images; None for as many as all processes have.
    """
    return total * (count_processes() if images is None else images / batch)
