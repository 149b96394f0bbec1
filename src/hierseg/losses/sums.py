"""Losses that are sums over the images of a step, of all its processes."""

from __future__ import annotations

from torch import Tensor

from hierseg.processes import count_processes


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
