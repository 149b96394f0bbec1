"""What networks and heads return.

Shape letters: B batch, K classes, C channels of the head, H and W the image's size, h and w its
size at the network's stride.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from hierseg.layers import RowMap, TensorMap


class HeadOutput(NamedTuple):
    """What a head computes from a trunk's features."""

    logits: Tensor
    """(B, K, h, w)."""
    auxiliary: Tensor | None
    """(B, K, h, w) auxiliary logits, where the head has them."""
    features: Tensor
    """(B, C, h, w): the input of an attention head."""
    regions: Tensor | None
    """(B, C, K) region vectors, where the head has them."""
    context: Tensor | None = None
    """(B, M, h_c, w_c) context at its own stride, if larger scales take it over."""


class ScaleOutput(NamedTuple):
    """A network's output for one image at one scale, at the network's own stride."""

    logits: Tensor
    """(B, K, h, w)."""
    auxiliary: Tensor | None
    """(B, K, h, w) auxiliary logits."""
    attention: Tensor | None
    """(B, 1, h, w) in (0, 1): this scale's weight against larger ones. With "fuse2" there is a
    second channel: its context's weight.
    """
    features: Tensor | None
    """(B, C, h, w)."""
    regions: Tensor | None
    """(B, C, K) region vectors of OCR. They can be given to a run on a part of the same image."""
    context: Tensor | None = None
    """(B, M, h_c, w_c) context at its own stride, if larger scales take it over."""


class Passed(NamedTuple):
    """What a larger scale takes over from the next smaller one."""

    context: Tensor
    """(B, M, h_c, w_c) of the smaller scale."""
    weight: Tensor
    """(B, 1, h, w) in (0, 1), at the size of the smaller scale's image: its context's weight."""


class SegmentationOutput(NamedTuple):
    """A network's output for a batch of images."""

    logits: Tensor
    """(B, K, H, W), fused over scales."""
    auxiliary: Tensor | None = None
    """(B, K, H, W) auxiliary logits, fused by the same attention; in training or on request."""
    per_scale: dict[float, Tensor] | None = None
    """Scale s -> (B, K, floor(H*s), floor(W*s)) logits; in training or with ``keep_scales``."""
    attention: dict[float, Tensor] | None = None
    """Scale s -> (B, 1, floor(H*s), floor(W*s)); in training or with ``keep_scales``."""


class DeferredOutput(NamedTuple):
    """A ``SegmentationOutput`` without auxiliary logits. Its rows are computed when they are asked
    for, so that no map need exist whole."""

    logits: RowMap
    """(B, K, H, W), fused over scales."""
    per_scale: dict[float, RowMap] | None = None
    """Scale s -> (B, K, floor(H*s), floor(W*s)) logits, where scales are kept."""
    attention: dict[float, RowMap] | None = None
    """Scale s -> (B, 1, floor(H*s), floor(W*s)), where scales are kept."""

    @classmethod
    def of(cls, output: SegmentationOutput) -> DeferredOutput:
        """One whose maps are computed already."""

        def wrap(maps: dict[float, Tensor] | None) -> dict[float, RowMap] | None:
            return None if maps is None else {s: TensorMap(values) for s, values in maps.items()}

        return cls(TensorMap(output.logits), wrap(output.per_scale), wrap(output.attention))
