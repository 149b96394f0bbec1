"""A segmentation network: trunk, head, attention over scales, and their fusion."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from hierseg.errors import UsageError, UserError
from hierseg.layers import resize_to, scaled_size
from hierseg.models.fusion import Fusion, FusionRun
from hierseg.models.gate import BenefitGate
from hierseg.models.hierarchical import ScaleAttention
from hierseg.models.ocr import OCRHead
from hierseg.models.outputs import HeadOutput, Passed, ScaleOutput, SegmentationOutput
from hierseg.models.trunk import Trunk
from hierseg.options import check_scales
from hierseg.size import SMALLEST_SIDE, Size

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
RANGE_SLACK = 0.5
"""How far floats may lie outside [0, 1]. Resizing and colour jitter stay well within it."""


class SegmentationNetwork(nn.Module):
    """RGB images in, logits out, over any scales (METHOD sections 1 and 2).

    Args:
        trunk: Computes features, fine to coarse (``models.trunk.Trunk``).
        head: Takes the features, and region vectors or None; returns a ``HeadOutput``.
        attention: Scale attention on the head's features, or None.
        fusion: How scales are combined.
        num_classes: K.
        scales: Scales of evaluation where none are given.
        train_scales: Scales of training where none are given.
        mean: Mean of each colour, for RGB in [0, 1], that images are normalised by.
        std: Standard deviation of each colour, likewise.
        align_corners: Whether images, logits and attention are resized with aligned corners.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        trunk: Trunk,
        head: nn.Module,
        attention: nn.Module | None,
        fusion: Fusion,
        *,
        num_classes: int,
        scales: Sequence[float] = (1.0,),
        train_scales: Sequence[float] = (1.0,),
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.attention = attention
        self.fusion = fusion
        self.num_classes = num_classes
        self.scales = check_scales(scales)
        self.train_scales = check_scales(train_scales)
        self.align_corners = align_corners
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        # Builder and arguments, which a checkpoint stores; set by the registry.
        self.builder: str | None = None
        self.builder_arguments: dict[str, Any] = {}
        # The header of the checkpoint that the network was loaded from; set by the loader.
        self.header: object | None = None
        # The learned gate of the largest scale, if there is one; `hierseg fit-gate` makes it.
        self.gate: BenefitGate | None = None

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the trunk: those that ImageNet weights can initialise."""
        return self.trunk.parameters()

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """All other parameters: head, attention, fusion."""
        for name, child in self.named_children():
            if name != "trunk":
                yield from child.parameters()

    @property
    def weighs_largest(self) -> bool:
        """Whether the attention of the largest scale counts too."""
        return self.fusion.weighs_largest

    def normalize(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB, uint8 or float in [0, 1], to normalised floats for the trunk.

        Raises:
            UserError: The image is neither uint8 nor float.
        """
        if image.dtype == torch.uint8:
            image = image.to(self.mean.dtype) / 255
        elif not image.is_floating_point():
            raise UserError(
                f"an image of {image.dtype} is neither uint8 nor float in [0, 1]; give "
                "image.to(torch.uint8) where it holds 0 to 255."
            )
        return (image.to(self.mean.dtype) - self.mean) / self.std

    def _takes_any_range(self) -> bool:
        """Whether images come normalised: mean 0 and standard deviation 1 leave them unchanged."""
        return bool((self.mean == 0).all() and (self.std == 1).all())

    def forward_scale(
        self,
        image: Tensor,
        regions: Tensor | None = None,
        *,
        attention: bool = True,
        passed: Passed | None = None,
        features: bool | None = None,
    ) -> ScaleOutput:
        """Run the network once, without resizing anything to the image's size.

        Args:
            image: (B, 3, h, w) float, normalised.
            regions: (B, C, K) region vectors to use instead of this image's own.
            attention: Whether to compute the attention of this scale.
            passed: What the next smaller scale passes on, if the fusion ``passes``.
            features: Whether to return the head's features; None if the fusion needs them. Without
                them a large image is computed in bands, which take less memory.
        """
        wanted = self.attention if attention else None
        keep = self.fusion.needs_features if features is None else features
        maps = self.trunk(image)
        head: Any = self.head
        takes_bands = isinstance(head, OCRHead) and isinstance(wanted, ScaleAttention | None)
        if takes_bands and not keep and head.takes_bands(maps):
            in_bands: ScaleOutput = head.run_in_bands(maps, regions, wanted)
            return in_bands
        further = () if passed is None else (passed,)
        output: HeadOutput = self.head(maps, regions, *further)
        del maps
        weight = None if wanted is None else wanted(output.features)
        return ScaleOutput(
            output.logits,
            output.auxiliary,
            weight,
            output.features,
            output.regions,
            output.context,
        )

    def _check_smallest(self, size: Size, scale: float, batch: int) -> None:
        """UsageError if the scaled image is empty, or leaves a batch norm one value in training."""
        smallest = scaled_size(size, scale)
        if min(smallest) < 1:
            raise UsageError(
                f"scale {scale:g} leaves no pixel of an image of {size}; give a larger scale or "
                "image."
            )
        coarsest = max(self.trunk.strides)
        cells = math.prod(math.ceil(side / coarsest) for side in smallest)
        if self.training and batch * cells < 2:
            raise UsageError(
                f"one image of {size} at scale {scale:g} is too small to train on, as its coarsest "
                "feature is one pixel; take a larger crop or batch."
            )
        if batch < 2 and any(getattr(part, "needs_two_images", False) for part in self.modules()):
            raise UsageError(
                "this network cannot be trained on a batch of one image, as the batch norm of "
                "ASPP's pooled branch needs more than one value; take a batch of 2 or more."
            )

    def forward(
        self,
        image: Tensor,
        scales: Sequence[float] | None = None,
        keep_scales: bool = False,
        auxiliary: bool | None = None,
    ) -> SegmentationOutput:
        """Segment a batch of images.

        Args:
            image: (B, 3, H, W) RGB, uint8 or float in [0, 1], H and W at least 32. Floats are not
                clamped; their range is checked in evaluation only.
            scales: Scales to run; None for ``train_scales`` in training, else ``scales``.
            keep_scales: Return each scale's logits and attention; training always does.
            auxiliary: Return auxiliary logits; None returns them in training only.

        Raises:
            UserError: The image is no RGB image, is too small, or has floats well outside [0, 1];
                or the scales cannot be run or combined.
        """
        if scales is None:
            scales = self.train_scales if self.training else self.scales
        keep = keep_scales or self.training
        wants_auxiliary = self.training if auxiliary is None else auxiliary

        def compute(resized: Tensor, attention: bool, passed: Passed | None = None) -> ScaleOutput:
            output = self.forward_scale(resized, attention=attention, passed=passed)
            return output if wants_auxiliary else output._replace(auxiliary=None)

        return self.run_scales(image, scales, keep, compute, takes_passed=True)

    def run_scales(
        self,
        image: Tensor,
        scales: Sequence[float],
        keep_scales: bool,
        compute: Callable[..., ScaleOutput],
        takes_passed: bool = False,
        fusion: Fusion | None = None,
    ) -> SegmentationOutput:
        """Run the scales and fuse their outputs; the arguments are those of ``add_scales``."""
        return self.add_scales(image, scales, keep_scales, compute, takes_passed, fusion).finish()

    def add_scales(
        self,
        image: Tensor,
        scales: Sequence[float],
        keep_scales: bool,
        compute: Callable[..., ScaleOutput],
        takes_passed: bool = False,
        fusion: Fusion | None = None,
    ) -> FusionRun:
        """Run the scales one after the other.

        Args:
            image: As in ``forward``.
            scales: Scales to run.
            keep_scales: As in ``forward``.
            compute: Runs one scale: takes the normalised image at the scale's size, (B, 3, h, w)
                float, and whether its attention is needed.
            takes_passed: Whether ``compute`` also takes ``passed``, as ``forward_scale`` does.
            fusion: How the scales are fused; None for the network's own fusion.

        Returns:
            The scales' outputs, not fused yet: ``finish`` or ``defer`` fuses them.

        Raises:
            UserError: As in ``forward``.
            UsageError: The fusion passes features from scale to scale, and ``compute`` does not
                take them.
        """
        if self.fusion.passes and not takes_passed and len(scales) > 1:
            raise UsageError(
                "the scales of this network take features over from one another, so only torch "
                "runs it; give --engine torch."
            )
        scales = check_scales(scales)
        normalized, size = self.prepare(image, scales)
        fusion = self.fusion if fusion is None else fusion
        run = fusion.begin(size, scales, align_corners=self.align_corners, keep=keep_scales)
        while (scale := run.next()) is not None:
            resized = resize_to(normalized, scaled_size(size, scale), self.align_corners)
            # In training every scale passes through the attention's batch norms, needed or not.
            wanted = keep_scales or run.needs_attention(scale)
            passed = {} if run.passed is None else {"passed": run.passed}
            output = compute(resized, wanted, **passed)
            run.add(scale, output)
            del output  # Its features are large: they must be freed before the next scale.
        return run

    def prepare(self, image: Tensor, scales: Sequence[float]) -> tuple[Tensor, Size]:
        """The normalised image, and its size. Image and scales are checked as in ``forward``."""
        check_image(image)
        # Not in training: it would wait for the GPU, and a wrong range shows in the losses.
        if not self.training and not _is_traced(image) and not self._takes_any_range():
            check_range(image)
        size = Size(image.shape[-2], image.shape[-1])
        if isinstance(size.height, int):  # in a graph with free sizes it is not known yet
            self._check_smallest(size, min(scales), image.shape[0])
        return self.normalize(image), size


def check_image(image: Tensor) -> None:
    """Raise UserError unless ``image`` is a tensor, (B, 3, H, W) with H and W at least 32."""
    if not isinstance(image, Tensor):
        raise UserError(
            f"a network takes a tensor and this is {type(image).__name__}; hierseg.Predictor takes "
            "arrays, Pillow images and paths."
        )
    if image.ndim != 4 or image.shape[1] != 3:
        shape = tuple(image.shape)
        shown = "x".join(map(str, shape))
        cure = {
            (4, 3): "; its channels are last: give image.permute(0, 3, 1, 2)",
            (3, 3): "; one image is a batch too: give image.permute(2, 0, 1)[None]",
        }.get((image.ndim, shape[-1] if shape else 0), "")
        if image.ndim == 3 and shape[0] == 3:
            cure = "; one image is a batch too: give image[None]"
        raise UserError(
            f"a network takes RGB images as (B, 3, H, W); this tensor is {shown}{cure}."
        )
    size = Size(image.shape[-2], image.shape[-1])
    if min(size) < SMALLEST_SIDE:
        raise UserError(
            f"an image of {size} is too small; a network takes {SMALLEST_SIDE} pixels a side or "
            "more."
        )


def check_range(image: Tensor) -> None:
    """Raise UserError for floats that are not RGB in [0, 1], such as 0 to 255 or normalised values:
    the network would give wrong labels without a sign of it.

    On a GPU this waits for the image. While a graph is traced, as in an export, nothing is checked.
    """
    if not image.is_floating_point() or not image.numel() or _is_traced(image):
        return
    values = image.detach()
    if values.element_size() < 2:  # floats of 8 bits, which torch can do little with
        values = values.half()
    low, high = (value.item() for value in values.aminmax())
    if low >= -RANGE_SLACK and high <= 1 + RANGE_SLACK:
        return
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UserError("the image has values that are NaN or infinite; give RGB in [0, 1].")
    cure = "divide it by 255" if low >= 0 else "do not normalise it, the network does"
    raise UserError(
        f"the image has values from {low:g} to {high:g} and a network takes RGB in [0, 1]; {cure}."
    )


def _is_traced(image: Tensor) -> bool:
    return (
        image.is_meta
        or isinstance(image, FakeTensor)
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )
