"""Training samples of SDC-Net: crops of three frames, and the flow between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hierseg.data import DataError
from hierseg.errors import UserError
from hierseg.flow import (
    Flow,
    FlowEstimator,
    FolderFlow,
    Image,
    Pair,
    pad_flow,
    pad_image,
    stack_frames,
)
from hierseg.propagation.triples import Clips, Frames, Triple
from hierseg.size import Size


class Batch(NamedTuple):
    """The crops of a step: B samples.

    Attributes:
        images: (B, 3 frames, 3, H, W) uint8 RGB, in the order of the frames.
        flows: (B, 2 flows, 2, H, W) float32 in pixels: from the second frame to the first, and from
            the third to the second.
    """

    images: Tensor
    flows: Tensor


@dataclass(frozen=True)
class SampleRules:
    """How crops are drawn.

    Attributes:
        crop: Size of a crop, limited to the size of the frames.
        reverse: Probability of the reverse order of the frames, in [0, 1].
        seed: Seed of all random numbers.
    """

    crop: Size
    reverse: float
    seed: int


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """Crops by number. A number gives the same crop in every process.

    Args:
        clips: The clips.
        triples: The triples to train on.
        inputs: The estimator of the network's input flow.
        rules: How crops are drawn.
        count: Number of crops.
    """

    def __init__(
        self,
        clips: Clips,
        triples: Sequence[Triple],
        inputs: FlowEstimator,
        rules: SampleRules,
        count: int,
    ) -> None:
        self.clips, self.triples, self.inputs = clips, triples, inputs
        self.rules, self.count = rules, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        try:
            return self._take(number)
        except UserError as error:
            raise DataError(str(error)) from error  # a worker passes on its message

    def _take(self, number: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self.rules.seed, number))
        triple = self.triples[int(random.integers(len(self.triples)))]
        frames = self.clips.read(triple, bool(random.random() < self.rules.reverse))
        height, width = frames.target.shape[:2]
        crop = Size(min(self.rules.crop.height, height), min(self.rules.crop.width, width))
        top = int(random.integers(height - crop.height + 1))
        left = int(random.integers(width - crop.width + 1))
        window = slice(top, top + crop.height), slice(left, left + crop.width)
        flows = estimate_inputs(self.inputs, frames, window)
        images = (frames.before, frames.source, frames.target)
        return (
            stack_frames([pad_image(np.ascontiguousarray(one[window])) for one in images]),
            stack_frames([pad_flow(flow) for flow in flows]),
        )


def estimate_inputs(
    inputs: FlowEstimator, frames: Frames, window: tuple[slice, slice]
) -> tuple[Flow, Flow]:
    """The two flows between three frames within a window; 0 where the flow is unknown.

    Estimators see only the window; stored flow of whole frames is cropped to it.
    """
    pairs = (
        (frames.before, frames.source, Pair(frames.where.before or "", frames.where.source)),
        (frames.source, frames.target, frames.where),
    )
    made = [_estimate(inputs, *pair, window) for pair in pairs]
    return made[0], made[1]


def _estimate(
    inputs: FlowEstimator, source: Image, target: Image, where: Pair, window: tuple[slice, slice]
) -> Flow:
    if isinstance(inputs, FolderFlow):
        flow = inputs.estimate(source, target, where=where)[window]
    else:
        flow = inputs.estimate(
            *(np.ascontiguousarray(one[window]) for one in (source, target)), where=where
        )
    return np.nan_to_num(np.ascontiguousarray(flow))


def join_samples(samples: Sequence[tuple[Tensor, Tensor]]) -> Batch:
    """Collate crops. Smaller crops repeat their last column and row up to the largest size."""
    height = max(images.shape[-2] for images, _ in samples)
    width = max(images.shape[-1] for images, _ in samples)
    images = torch.stack([_grow(images, height, width) for images, _ in samples])
    return Batch(images, torch.stack([_grow(flows, height, width) for _, flows in samples]))


def _grow(maps: Tensor, height: int, width: int) -> Tensor:
    rows = torch.arange(height).clamp(max=maps.shape[-2] - 1)
    columns = torch.arange(width).clamp(max=maps.shape[-1] - 1)
    return maps[..., rows, :][..., columns]
