"""What executes a network: one protocol, whatever runs behind it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from hierseg.checkpoint import Header
from hierseg.models import SegmentationOutput
from hierseg.options import RunOptions


class Engine(Protocol):
    """Runs a network over images of one size, at several scales, and fuses them.

    It need be no torch module: it takes and gives tensors, whatever computes in between. What is
    around a network (mirror image, windows, sizes, labels) is the Segmenter's.
    """

    @property
    def header(self) -> Header | None:
        """What the weights say of themselves; None of a network that was just built."""

    @property
    def num_classes(self) -> int:
        """K."""

    @property
    def scales(self) -> tuple[float, ...]:
        """Those that are run where none are given."""

    @property
    def device(self) -> torch.device:
        """Where images are to lie, and where logits will."""

    @property
    def attends(self) -> bool:
        """Whether attention decides between scales."""

    @property
    def weighs_largest(self) -> bool:
        """Whether the attention of the largest scale decides too."""

    @property
    def align_corners(self) -> bool:
        """How maps are resized."""

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell these weights, and how they are run, from others."""

    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """Run and fuse the scales of ``options``.

        Args:
            images: (B, 3, H, W) RGB on ``device``, uint8 or float in [0, 1], H and W at least 32.
            options: Of these the scales count; None of them takes ``scales``.
            keep_scales: Keep each scale's logits and attention.

        Returns:
            ``logits`` (B, K, H, W) float; ``per_scale`` {scale: (B, K, h, w)} and ``attention``
            {scale: (B, 1, h, w)} where ``keep_scales`` asks for them; no auxiliary logits.

        Raises:
            UserError: Images or scales that the network cannot run.
        """
