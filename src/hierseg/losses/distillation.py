"""What a student lacks of a teacher's outputs (Hinton, Vinyals and Dean 2015, arXiv 1503.02531)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROWS = 64
"""Rows of the maps that are compared at a time, so that no copy in float32 need be there whole."""


class Distillation(nn.Module):
    """The divergence of the student's softmax from the teacher's, both at a temperature, times the
    temperature's square, by which its gradient keeps its size (section 2.1): the mean over pixels,
    in nats.

    Args:
        temperature: What both logits are divided by, above 0.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(B, K, H, W) float logits of each to a scalar; the teacher's have no gradient."""
        total = torch.zeros((), dtype=torch.float32, device=student.device)
        for top in range(0, student.shape[2], ROWS):
            part = student[:, :, top : top + ROWS].float() / self.temperature
            wanted = teacher[:, :, top : top + ROWS].detach().float() / self.temperature
            total = total + nn.functional.kl_div(
                part.log_softmax(1), wanted.log_softmax(1), reduction="sum", log_target=True
            )
        return total * self.temperature**2 / (student.numel() // student.shape[1])
