"""What SDC-Net is trained on: crops of three frames and the flow between them."""

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
    """Crops of a step.

    Attributes:
        images: (B, 3, 3, H, W) uint8, in the order in which the frames are seen.
        flows: (B, 2, 2, H, W) float32: from the second frame to the first, from the third to the
            second.
    """

    images: Tensor
    flows: Tensor


@dataclass(frozen=True)
class SampleRules:
    """How crops are taken.

    Attributes:
        crop: Size of a crop; less where frames are smaller.
        reverse: Probability of going backwards in time.
        seed: Of all that is drawn.
    """

    crop: Size
    reverse: float
    seed: int


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """Crops by their number: the same number is the same crop, in whichever process.

    Args:
        clips: Where frames come from.
        triples: Which of them are trained on.
        inputs: Estimates the flow that goes in.
        rules: How crops are taken.
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
            raise DataError(str(error)) from error  # whose sentence survives a loader's worker

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
    """The two flows between three frames within a window, with stillness where one is not known.

    What an estimator computes, it computes of the window alone; stored flow is of whole frames.
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
    """Crops as a batch; smaller ones are repeated at the right and below, up to the largest."""
    height = max(images.shape[-2] for images, _ in samples)
    width = max(images.shape[-1] for images, _ in samples)
    images = torch.stack([_grow(images, height, width) for images, _ in samples])
    return Batch(images, torch.stack([_grow(flows, height, width) for _, flows in samples]))


def _grow(maps: Tensor, height: int, width: int) -> Tensor:
    rows = torch.arange(height).clamp(max=maps.shape[-2] - 1)
    columns = torch.arange(width).clamp(max=maps.shape[-1] - 1)
    return maps[..., rows, :][..., columns]
