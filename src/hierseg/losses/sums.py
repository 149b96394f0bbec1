"""What the images of a process, or of a part of a step, count in the loss of the whole step."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from hierseg.processes import count_processes


class Share(NamedTuple):
    """The part that a batch has in a step of several batches.

    Attributes:
        pixels: Of the counted pixels, from 0 to 1: what a mean over pixels is weighted by.
        images: Of the images, from 0 to 1: what a mean over images is weighted by.
    """

    pixels: float = 1.0
    images: float = 1.0


WHOLE = Share()


def sum_over_images(total: Tensor, batch: int, images: int | None) -> Tensor:
    """What a process's sum over its images counts, where the mean of the processes is the loss.

    The published runs of VPLR averaged over eight processes what each summed over two images. As a
    sum over all sixteen the loss would be eight times as large, and change with the machine; asked
    for ``images`` = 2 it is theirs, however the images of a step are spread.

    Args:
        total: Scalar, the sum over the images of this process.
        batch: How many those are.
        images: Scale the sum to so many images; None for as many as all processes have.
    """
    return total * (count_processes() if images is None else images / batch)
