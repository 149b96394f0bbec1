"""Offsets of the class logits that maximise mean IoU.

Logit adjustment after training (Menon et al. 2021, arXiv 2007.07314, section 4.1) adds a constant
to each class's logit. The paper computes the constants from the classes' shares, for mean class
accuracy. Mean IoU has no such formula, so here they are searched for.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LARGEST = 2.0
"""Largest absolute offset: a factor of 7.4 on a class's probability against the others'."""
STEP = 0.0625
ROUNDS = 10


class Offsets(NamedTuple):
    """Fitted offsets and their effect.

    Attributes:
        values: (K,) float32 in [-LARGEST, LARGEST]; 0 for classes without a pixel.
        before: Mean IoU in [0, 1], over the classes in the labels, without offsets.
        after: The same with offsets.
    """

    values: Tensor
    before: float
    after: float


@torch.inference_mode()
def fit_offsets(logits: Tensor, labels: Tensor) -> Offsets:
    """Fit the offsets that maximise the mean IoU of these pixels, by coordinate ascent.

    A class's offset is a threshold on its margin: a pixel goes to the class if the offset exceeds
    the distance to the best other class. So one histogram of margins gives the mean IoU for every
    offset on a grid of ``STEP``. The best offset is taken; of several, the nearest to the previous
    one. Rounds over all classes are repeated until nothing changes.

    Args:
        logits: (N, K) float, finite.
        labels: (N,) integer train ids in [0, K).

    Raises:
        ValueError: N is 0.
    """
    if len(labels) == 0:
        raise ValueError("there are no pixels to fit offsets to")
    labels, num_classes = labels.long(), logits.shape[1]
    counts = torch.bincount(labels, minlength=num_classes).double()
    present = counts.nonzero().flatten()
    grid = torch.arange(-LARGEST, LARGEST + STEP / 2, STEP)
    values = torch.zeros(num_classes)
    rows = torch.arange(len(labels))
    before = best = float("nan")
    for _ in range(ROUNDS):
        changed = False
        for index in present.tolist():
            adjusted = logits + values
            own = logits[:, index]
            adjusted[rows, index] = -torch.inf
            other, rival = adjusted.max(dim=1)
            found = _mean_iou(other - own, rival, labels, index, counts, present, grid)
            here = int((grid - values[index]).abs().argmin())
            if best != best:  # NaN in the first round, before any offset
                before = best = float(found[here])
            if float(found.max()) > best + 1e-9:
                ties = (found >= found.max() - 1e-12).nonzero().flatten()
                chosen = ties[(ties - here).abs().argmin()]
                values[index], best, changed = grid[chosen], float(found[chosen]), True
        if not changed:
            break
    return Offsets(values, before, best)


def _mean_iou(
    margin: Tensor,
    rival: Tensor,
    labels: Tensor,
    index: int,
    counts: Tensor,
    present: Tensor,
    grid: Tensor,
) -> Tensor:
    """(G,) mean IoU for each offset of one class, with the other offsets fixed.

    Args:
        margin: (N,) distance from the class's logit up to the best other one. The class gets the
            pixels whose margin is below the offset.
        rival: (N,) that best other class.
        labels: (N,) the truth.
        index: The class.
        counts: (K,) pixels of each class in the truth.
        present: Classes with pixels, over which the mean is taken.
        grid: (G,) offsets, ascending.
    """
    num_classes = len(counts)
    # Number of offsets that leave a pixel to its rival: those up to its margin.
    lost = torch.bucketize(margin, grid, right=True)  # 0..G: the class's from grid[lost] on
    size = len(grid) + 1

    def taken(mask: Tensor) -> Tensor:
        """(G,) pixels of a mask that the class gets at each offset."""
        return torch.bincount(lost[mask], minlength=size).double().cumsum(0)[:-1]

    right = labels == rival
    flat = lost * num_classes + rival
    shape = (size, num_classes)
    claimed = torch.bincount(flat, minlength=size * num_classes).view(shape).double()
    hits = torch.bincount(flat[right], minlength=size * num_classes).view(shape).double()
    # At an offset the rivals keep all pixels whose threshold is above it.
    claimed = claimed.sum(0) - claimed.cumsum(0)[:-1]  # (G, K)
    hits = hits.sum(0) - hits.cumsum(0)[:-1]
    claimed[:, index] = taken(torch.ones_like(right))
    hits[:, index] = taken(labels == index)
    iou = hits / (claimed + counts - hits)
    return iou[:, present].mean(1)
