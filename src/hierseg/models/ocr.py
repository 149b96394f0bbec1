"""Object-contextual head (Yuan et al., arXiv 1909.11065), METHOD section 1.

Shape letters: B batch, K classes, X channels of the joined features, C of the head, D of the keys,
h and w height and width at the trunk's finest stride.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.layers import Band, ConvNormAct, resize_to, split_rows, take_band
from hierseg.models.outputs import HeadOutput, ScaleOutput
from hierseg.size import Size

if TYPE_CHECKING:
    from hierseg.models.aspp import ASPP
    from hierseg.models.hierarchical import ScaleAttention

BAND_BYTES = 128 * 2**20
"""Largest size in bytes of a band's joined features; smaller images are computed whole."""
FEWEST_ROWS = 16
KEPT_BYTES = 3 * 2**29
"""Largest size in bytes of all bands' pixel features; larger ones are computed twice, not kept."""


class FeatureJoin(nn.Module):
    """Features resized to the finest one's size and concatenated.

    Args:
        channels: Channels of each feature.
        reduced: Channels that a 1x1 conv-BN-ReLU reduces each feature to before it is resized; None
            for no such convolution.
        align_corners: Whether features are resized with aligned corners.
    """

    def __init__(
        self, channels: Sequence[int], reduced: int | None = None, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.reduce = nn.ModuleList(
            nn.Identity() if reduced is None else ConvNormAct(count, reduced) for count in channels
        )
        self.out_channels = sum(channels) if reduced is None else reduced * len(channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features (B, channels[i], h_i, w_i), fine to coarse, to (B, X, h, w)."""
        size = (features[0].shape[-2], features[0].shape[-1])
        return torch.cat(
            [
                resize_to(reduce(feature), size, self.align_corners)
                for reduce, feature in zip(self.reduce, features, strict=True)
            ],
            dim=1,
        )


class RegionAttention(nn.Module):
    """Each pixel attends to the region vectors; the result is its context."""

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        self.query = nn.Sequential(
            ConvNormAct(channels, key_channels), ConvNormAct(key_channels, key_channels)
        )
        self.key = nn.Sequential(
            ConvNormAct(channels, key_channels), ConvNormAct(key_channels, key_channels)
        )
        self.value = ConvNormAct(channels, key_channels)
        self.expand = ConvNormAct(key_channels, channels)

    def forward(self, pixels: Tensor, regions: Tensor) -> Tensor:
        """(B, C, h, w) pixels and (B, C, K) regions to (B, C, h, w) context."""
        vectors = regions.unsqueeze(-1)
        key: Tensor = self.key(vectors).squeeze(-1)  # (B, D, K)
        value: Tensor = self.value(vectors).squeeze(-1)  # (B, D, K)
        # Pixels before channels, the memory layout of channels last: neither the products nor their
        # gradients then transpose a tensor as large as the image.
        query: Tensor = self.query(pixels).flatten(2).mT  # (B, h*w, D)
        similarity = query @ key * key.shape[1] ** -0.5  # (B, h*w, K)
        del query
        weights = similarity.softmax(dim=2)
        context = weights.to(value.dtype) @ value.mT  # (B, h*w, D)
        expanded: Tensor = self.expand(context.mT.unflatten(2, pixels.shape[-2:]))
        return expanded


class OCRHead(nn.Module):
    """Object-contextual representations (arXiv 1909.11065; METHOD section 1): logits from each
    pixel's features and the context of its objects.

    Args:
        channels: Channels of the trunk's features, fine to coarse.
        num_classes: K.
        mid_channels: C.
        key_channels: D.
        reduced: Channels that each feature is reduced to before joining; None to keep them all.
        context: ASPP of the pixel features, concatenated with them (OCR-ASPP); None for none.
        bias: Whether the convolutions before the batch norms of pixel features and auxiliary
            logits have biases.
        dropout: Probability of dropping a channel of the output features, in training.
        align_corners: Whether features are resized with aligned corners.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        mid_channels: int = 512,
        key_channels: int = 256,
        *,
        reduced: int | None = None,
        context: ASPP | None = None,
        bias: bool = True,
        dropout: float = 0.05,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.join = FeatureJoin(channels, reduced, align_corners)
        joined = self.join.out_channels
        self.out_channels = mid_channels
        self.pixels = ConvNormAct(joined, mid_channels, 3, bias=bias)
        self.auxiliary = nn.Sequential(
            ConvNormAct(joined, joined, bias=bias), nn.Conv2d(joined, num_classes, 1)
        )
        self.attend = RegionAttention(mid_channels, key_channels)
        self.context = context
        between = 0 if context is None else context.out_channels
        self.merge = ConvNormAct(2 * mid_channels + between, mid_channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(mid_channels, num_classes, 1)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features to logits (B, K, h, w) and what else ``HeadOutput`` holds.

        Args:
            features: (B, channels[i], h_i, w_i), fine to coarse.
            regions: (B, C, K) region vectors to use instead of those of these features.
        """
        joined = self.join(features)
        auxiliary: Tensor = self.auxiliary(joined)
        pixels: Tensor = self.pixels(joined)
        del joined
        if regions is None:
            regions = gather_regions(pixels, auxiliary)
        parts: list[Tensor] = [self.attend(pixels, regions)]
        if self.context is not None:
            parts.append(self.context(pixels))
        merged = self.dropout(self._merge([*parts, pixels]))
        return HeadOutput(self.classify(merged), auxiliary, merged, regions)

    def takes_bands(self, features: list[Tensor]) -> bool:
        """Whether ``run_in_bands`` applies: large features, in evaluation, without gradients."""
        if self.training or torch.is_grad_enabled() or self.context is not None or _is_traced():
            return False
        return self._count_bands(features) > 1

    def _count_bands(self, features: list[Tensor]) -> int:
        finest = features[0]
        batch, _, height, width = finest.shape
        row = batch * self.join.out_channels * width * finest.element_size()
        return math.ceil(height / max(FEWEST_ROWS, BAND_BYTES // row))

    def run_in_bands(
        self,
        features: list[Tensor],
        regions: Tensor | None = None,
        attention: ScaleAttention | None = None,
    ) -> ScaleOutput:
        """The result of ``forward`` and the attention on it, computed in bands of rows; equal up to
        rounding.

        The joined features (720 channels in the published network) and most of what is computed
        from them never exist whole. The region vectors need all pixels before any pixel's context
        is known, so there are two passes over the bands. Between them the pixel features are kept,
        or computed again if they are very large.

        Args:
            features: As in ``forward``; the list is emptied, so that they are freed early.
            regions: As in ``forward``.
            attention: The attention over scales; None to leave it out.

        Returns:
            The scale's output without features.
        """
        count = self._count_bands(features)
        maps = [reduce(one) for reduce, one in zip(self.join.reduce, features, strict=True)]
        features.clear()
        size = Size(maps[0].shape[-2], maps[0].shape[-1])
        bands = list(split_rows(size, math.ceil(size.height / count)))
        objects, found, kept = self._find_regions(maps, bands, regions)
        if kept:
            maps.clear()
        logits, weights = [], []
        for band in bands:
            wide = band.widen(0 if attention is None else attention.reach)
            pixels = _gather(kept, wide) if kept else self._find_pixels(maps, wide)
            merged = self._merge([self.attend(pixels, found), pixels])
            del pixels
            logits.append(self.classify(band.within(wide).cut(merged)))
            if attention is not None:
                weights.append(band.within(wide).cut(attention(merged)))
            del merged
            while kept and kept[0][0].bottom < band.bottom:  # the next band's margin is the last
                del kept[0]
        kept.clear()
        maps.clear()
        weight = torch.cat(weights, dim=2) if weights else None
        return ScaleOutput(torch.cat(logits, dim=2), objects, weight, None, found)

    def _find_regions(
        self, maps: list[Tensor], bands: list[Band], regions: Tensor | None
    ) -> tuple[Tensor, Tensor, list[tuple[Band, Tensor]]]:
        """Auxiliary logits, region vectors (the given ones, if any), and each band's pixel
        features, or an empty list if they would be too large.
        """
        auxiliary: list[Tensor] = []
        kept: list[tuple[Band, Tensor]] = []
        sums = RegionSums()
        for band in bands:
            wide = band.widen(1)
            joined = self._join_band(maps, wide)
            auxiliary.append(self.auxiliary(band.within(wide).cut(joined)))
            pixels = band.within(wide).cut(self.pixels(joined))
            del joined
            if regions is None:
                sums.add(pixels, auxiliary[-1])
            whole = pixels.numel() // (band.bottom - band.top) * band.size.height
            if whole * pixels.element_size() <= KEPT_BYTES:
                kept.append((band, pixels.clone()))  # without the margin
            del pixels
        return torch.cat(auxiliary, dim=2), sums.finish() if regions is None else regions, kept

    def _find_pixels(self, maps: list[Tensor], band: Band) -> Tensor:
        wide = band.widen(1)
        pixels: Tensor = self.pixels(self._join_band(maps, wide))
        return band.within(wide).cut(pixels)

    def _join_band(self, maps: list[Tensor], band: Band) -> Tensor:
        """Rows of the output of ``FeatureJoin``, from features that are reduced already."""
        aligned = self.join.align_corners
        rows = (take_band(one, band, align_corners=aligned).to(one.dtype) for one in maps)
        return torch.cat(list(rows), dim=1)

    def _merge(self, parts: list[Tensor]) -> Tensor:
        """1x1 conv-BN-ReLU of the parts, context first, without concatenating them.

        At 2048x4096 the concatenation alone would be 2 GB.
        """
        weights = torch.split(self.merge.conv.weight, [part.shape[1] for part in parts], dim=1)
        summed = reduce(
            torch.add, (F.conv2d(part, weight) for part, weight in zip(parts, weights, strict=True))
        )
        merged: Tensor = self.merge.act(self.merge.norm(summed))
        return merged


class RegionSums:
    """Computes the result of ``gather_regions`` from pixels that come part by part."""

    def __init__(self) -> None:
        self._found: tuple[Tensor, Tensor, Tensor] | None = None
        self._dtype = torch.float32

    def add(self, pixels: Tensor, auxiliary: Tensor) -> None:
        """Take (B, C, n, w) pixels and their (B, K, n, w) logits of the soft object regions."""
        self._dtype = pixels.dtype
        exact = auxiliary.to(torch.promote_types(auxiliary.dtype, torch.float32)).flatten(2)
        # A softmax's exponentials are relative to the largest logit so far, which may rise.
        top = exact.amax(dim=2, keepdim=True)  # (B, K, 1)
        if self._found is not None:
            top = torch.maximum(top, self._found[0])
        shares = (exact - top).exp_()
        total = shares.sum(dim=2, keepdim=True)
        vectors = (shares.to(pixels.dtype) @ pixels.flatten(2).transpose(1, 2)).to(total.dtype)
        if self._found is not None:
            before, old_total, old_vectors = self._found
            factor = (before - top).exp_()
            total, vectors = total + factor * old_total, vectors + factor * old_vectors
        self._found = top, total, vectors

    def finish(self) -> Tensor:
        """(B, C, K) region vectors."""
        assert self._found is not None
        _, total, vectors = self._found
        return (vectors / total).to(self._dtype).transpose(1, 2)


def _gather(kept: list[tuple[Band, Tensor]], band: Band) -> Tensor:
    """The rows of ``band``, from the bands that are kept."""
    parts = []
    for there, values in kept:
        top, bottom = max(band.top, there.top), min(band.bottom, there.bottom)
        if top < bottom:
            parts.append(values[..., top - there.top : bottom - there.top, :])
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def _is_traced() -> bool:
    """Whether a graph is traced, as for an export: then nothing is split into bands."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


def gather_regions(pixels: Tensor, auxiliary: Tensor) -> Tensor:
    """Region vectors: pixel features weighted by the softmax of each class map over all pixels.

    Args:
        pixels: (B, C, h, w).
        auxiliary: (B, K, h, w) logits of the soft object regions.

    Returns:
        (B, C, K).
    """
    # In float32 or wider: the weights of all the image's pixels sum to 1, so each is small.
    exact = auxiliary.to(torch.promote_types(auxiliary.dtype, torch.float32))
    weights = exact.flatten(2).softmax(dim=2).to(pixels.dtype)
    return (weights @ pixels.flatten(2).mT).mT
