"""What a student lacks of a teacher's outputs (Hinton, Vinyals and Dean 2015, arXiv 1503.02531)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hierseg.losses.image_weighted import spread_weights, weigh_classes
from hierseg.losses.label_sets import count_classes

ROWS = 64
"""Rows of the maps that are compared at a time, so that no copy in float32 need be there whole."""


class Distillation(nn.Module):
    """The divergence of the student's softmax from the teacher's, both at a temperature, times the
    temperature's square, by which its gradient keeps its size (section 2.1): the mean over pixels,
    in nats.

    Args:
        temperature: What both logits are divided by, above 0.
        weight_bound: Where it is above 0, the mean over an image is weighted: a pixel of a class
            that has the share h of the image, by the teacher, weighs ``1 + weight_bound / h``, as
            in `ImageWeightedCrossEntropy` by the inverse weighting.
    """

    def __init__(self, temperature: float = 1.0, weight_bound: float = 0.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.weight_bound = weight_bound

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(B, K, H, W) float logits of each to a scalar; the teacher's have no gradient."""
        weights = self._weigh(teacher.detach()) if self.weight_bound else None
        total = torch.zeros((), dtype=torch.float32, device=student.device)
        for top in range(0, student.shape[2], ROWS):
            rows = slice(top, top + ROWS)
            part = student[:, :, rows].float() / self.temperature
            wanted = teacher[:, :, rows].detach().float() / self.temperature
            pixels = nn.functional.kl_div(
                part.log_softmax(1), wanted.log_softmax(1), reduction="none", log_target=True
            ).sum(1)
            total = total + (pixels if weights is None else pixels * weights[:, rows]).sum()
        count = student.numel() // student.shape[1] if weights is None else len(student)
        return total * self.temperature**2 / count

    def _weigh(self, teacher: Tensor) -> Tensor:
        """(B, H, W) float32 weights of pixels, which sum to 1 over an image."""
        classes = teacher.argmax(1)
        counts = count_classes(
            classes, torch.ones_like(classes, dtype=torch.bool), teacher.shape[1]
        )
        weights = weigh_classes(counts.float(), "inverse", self.weight_bound)
        return spread_weights(weights, counts.float(), classes)
