"""The protocol of everything that executes a network."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from hierseg.checkpoint import Header
from hierseg.models import ScaleOutput, SegmentationOutput
from hierseg.options import RunOptions


class Engine(Protocol):
    """Runs a network over images of one size, at several scales, and fuses them.

    An engine takes and returns tensors; it need not compute with torch. Mirrored images, windows,
    sizes and labels are the Segmenter's part.

    An engine may also have ``defer``, with the arguments of ``run``, which returns a
    ``DeferredOutput``: maps of all classes at the image's size then never exist whole.
    """

    @property
    def header(self) -> Header | None:
        """The header of the weights; None for a network that was just built."""

    @property
    def num_classes(self) -> int:
        """K."""

    @property
    def scales(self) -> tuple[float, ...]:
        """The scales that are run by default."""

    @property
    def device(self) -> torch.device:
        """The device that images must be on and logits will be on."""

    @property
    def attends(self) -> bool:
        """Whether attention decides between scales."""

    @property
    def weighs_largest(self) -> bool:
        """Whether the attention of the largest scale counts too."""

    @property
    def align_corners(self) -> bool:
        """Whether maps are resized with aligned corners."""

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the weights, then engine and precision unless
        they are float32 torch: ``0123456789abcdef openvino bf16``.
        """

    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """Run and fuse the scales of ``options``.

        Args:
            images: (B, 3, H, W) RGB on ``device``, uint8 or float in [0, 1], H and W at least 32.
            options: Options; if they have no scales, ``scales`` are run.
            keep_scales: Keep each scale's logits and attention.

        Returns:
            ``logits`` (B, K, H, W) float; with ``keep_scales`` also ``per_scale`` {scale: (B, K, h,
            w)} and ``attention`` {scale: (B, 1, h, w)}; no auxiliary logits.

        Raises:
            UserError: The network cannot run these images or scales.
        """


class ScaleRunner(Protocol):
    """Computes a network once, at one scale."""

    @property
    def name(self) -> str:
        """Name of its engine: torch, compile, onnxruntime or openvino."""

    @property
    def precision(self) -> str:
        """Precision of its arithmetic: float32, bf16, fp16 or int8."""

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """The output of ``SegmentationNetwork.forward_scale``, without auxiliary logits.

        Args:
            image: (B, 3, h, w) float32, normalised, at the scale's size.
            attention: Whether the attention of this scale is needed; it may be returned anyway.
            regions: (B, C, K) region vectors to use instead of this image's own.

        Returns:
            Logits and attention at the network's own stride, float; features and regions if the
            network has them and the fusion or a gate needs them.
        """
