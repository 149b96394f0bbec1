"""What executes a network: one protocol, whatever runs behind it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from hierseg.checkpoint import Header
from hierseg.models import ScaleOutput, SegmentationOutput
from hierseg.options import RunOptions


class Engine(Protocol):
    """Runs a network over images of one size, at several scales, and fuses them.

    It need be no torch module: it takes and gives tensors, whatever computes in between. What is
    around a network (mirror image, windows, sizes, labels) is the Segmenter's.

    It may also have ``defer``, with the arguments of ``run``, that gives a ``DeferredOutput``: what
    has many classes and is as large as the image then never exists whole.
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
        """Sixteen hexadecimal digits that tell these weights from others; then what else they are
        run by than float32 torch: ``0123456789abcdef openvino bf16``.
        """

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


class ScaleRunner(Protocol):
    """Computes a network once, at one scale; what is around it is the engine's."""

    @property
    def name(self) -> str:
        """Of the engine that it belongs to: torch, compile, onnxruntime or openvino."""

    @property
    def precision(self) -> str:
        """Of its arithmetic: float32, bf16, fp16 or int8."""

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """What ``SegmentationNetwork.forward_scale`` gives, auxiliary logits left out.

        Args:
            image: (B, 3, h, w) float32, normalised, at the scale's size.
            attention: Whether the attention of this scale is wanted; it may be given unasked.
            regions: (B, C, K) region vectors to use instead of this image's own.

        Returns:
            Logits and attention at the network's own stride, float; features and regions where the
            network has them and the fusion or a gate needs them.
        """
