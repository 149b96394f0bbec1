"""Offsets of class logits that make the mean IoU highest.

Logit adjustment after training (Menon et al. 2021, arXiv 2007.07314, section 4.1) adds to each
class's logit a constant. There the constants come from the classes' shares, for the mean accuracy
of classes; here they are searched for, as the mean IoU has no such formula.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LARGEST = 2.0
"""No offset is farther from 0: a factor of 7.4 on a class's probability against the others'."""
STEP = 0.0625
ROUNDS = 10


class Offsets(NamedTuple):
    """What was found.

    Attributes:
        values: (K,) float32, within ``LARGEST`` of 0; 0 for classes without a pixel.
        before: Mean IoU in [0, 1] over the classes that the labels have, without them.
        after: The same with them.
    """

    values: Tensor
    before: float
    after: float


@torch.inference_mode()
def fit_offsets(logits: Tensor, labels: Tensor) -> Offsets:
    """Offsets of the classes that make the mean IoU of these pixels highest, one after the other.

    A class's offset is a threshold on its margin: a pixel goes to the class where the offset
    exceeds the distance to the best of the others. So one histogram of margins gives the mean IoU
    for every offset of a grid (``STEP``), of which the best is taken, the nearest to the one before
    where several are best. Rounds over all classes end when nothing changes any more.

    Args:
        logits: (N, K) float, finite.
        labels: (N,) integer train ids in [0, K).
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
            if best != best:  # NaN: the first look, at no offsets
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
    """(G,) mean IoU for each offset of a class, where the others' stay.

    Args:
        margin: (N,) how far the class is behind the best other one; its pixels are those where the
            offset is larger (the smaller id wins a tie elsewhere; here nobody depends on it).
        rival: (N,) that other class.
        labels: (N,) the truth.
        index: The class.
        counts: (K,) pixels of each class in truth.
        present: Classes with pixels, which the mean is over.
        grid: (G,) offsets, rising.
    """
    num_classes = len(counts)
    # How many offsets leave a pixel to its rival: all those up to its margin.
    lost = torch.bucketize(margin, grid, right=True)  # 0..G: taken from grid[lost] on
    size = len(grid) + 1

    def taken(mask: Tensor) -> Tensor:
        """(G,) pixels of a mask that are the class's at each offset."""
        return torch.bincount(lost[mask], minlength=size).double().cumsum(0)[:-1]

    right = labels == rival
    flat = lost * num_classes + rival
    shape = (size, num_classes)
    claimed = torch.bincount(flat, minlength=size * num_classes).view(shape).double()
    hits = torch.bincount(flat[right], minlength=size * num_classes).view(shape).double()
    # What is left to the rivals at an offset: all pixels whose threshold is beyond it.
    claimed = claimed.sum(0) - claimed.cumsum(0)[:-1]  # (G, K)
    hits = hits.sum(0) - hits.cumsum(0)[:-1]
    claimed[:, index] = taken(torch.ones_like(right))
    hits[:, index] = taken(labels == index)
    iou = hits / (claimed + counts - hits)
    return iou[:, present].mean(1)
