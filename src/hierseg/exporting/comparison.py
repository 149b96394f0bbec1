"""Compares the outputs of an exported file with those of its network.

Shapes: K classes, H and W an image's size.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.engines import ExportedHeader, TorchEngine
from hierseg.errors import UserError
from hierseg.exporting.graph_run import LEAST_RUNS
from hierseg.exporting.samples import SampleImage
from hierseg.layers import resize_to, scaled_size
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions
from hierseg.size import Size

CLOSE = 1e-3
"""If the two largest logits differ by less, rounding may choose either class."""


@dataclass(frozen=True)
class ImageComparison:
    """One image, segmented by the network and by the file.

    Attributes:
        name: Name of the image.
        pixels: Number of pixels.
        clear: Number of clear pixels: their two largest logits differ by ``CLOSE`` or more.
        different: Number of clear pixels whose label differs.
        different_close: Number of other pixels whose label differs.
        largest: Largest difference of the other outputs (``name_compared``); None if the file gives
            only labels.
        labels: (H, W) uint8 labels of the network; for one scale, at the network's stride.
        found: (H, W) uint8 labels of the file.
    """

    name: str
    pixels: int
    clear: int
    different: int
    different_close: int
    largest: float | None
    labels: npt.NDArray[np.uint8]
    found: npt.NDArray[np.uint8]

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the pixels whose label differs."""
        return np.not_equal(self.labels, self.found)


class Reference:
    """Runs a network as its exported file should.

    Args:
        network: The network, in evaluation mode.
        about: The header of the file.
    """

    def __init__(self, network: SegmentationNetwork, about: ExportedHeader) -> None:
        self.network, self.about = network, about
        self._engine = TorchEngine(network)

    @torch.inference_mode()
    def run(self, image: Tensor) -> list[Tensor]:
        """The outputs of one image, (1, 3, H, W) uint8: logits first, (1, K, H, W) float."""
        if self.about.part == "scale":
            return self._run_scale(image)
        options = RunOptions(scales=self.about.scales)
        return [self._engine.run(image.to(self._engine.device), options).logits.cpu()]

    def _run_scale(self, image: Tensor) -> list[Tensor]:
        network, size = self.network, Size(image.shape[-2], image.shape[-1])
        normal = network.normalize(image.to(self._engine.device))
        resized = resize_to(normal, scaled_size(size, self.about.scales[0]), network.align_corners)
        output = network.forward_scale(resized, features=True)
        given = (output.logits, output.attention, output.features)
        return [part.cpu() for part in given if part is not None]

    def time(self, images: Sequence[Tensor]) -> float:
        """Median milliseconds of an image, from pixels to labels."""
        rounds = max(1, -(-LEAST_RUNS // len(images)))
        taken = []
        for image in [images[0], *(image for _ in range(rounds) for image in images)]:
            start = time.perf_counter()
            self.run(image)
            taken.append(time.perf_counter() - start)
        return 1000 * statistics.median(taken[1:])  # the first warms up

    def compare(self, sample: SampleImage, given: Sequence[Any]) -> ImageComparison:
        """Compare the file's outputs of an image with the network's.

        Raises:
            UserError: The outputs are not those that the file's header states.
        """
        image = torch.from_numpy(as_batch(sample))
        expected = self.run(image)
        logits = expected[0]
        labels = logits.argmax(dim=1)
        two = logits.topk(2, dim=1).values if logits.shape[1] > 1 else None
        close = torch.zeros_like(labels, dtype=torch.bool)
        if two is not None:
            close = two[:, 0] - two[:, 1] < CLOSE
        found, pairs = self._pair(given, expected)
        if found.shape != labels.shape:
            raise UserError(
                f"its labels have the shape {found.shape}, and the network's {tuple(labels.shape)}"
            )
        different = found != labels.numpy()
        return ImageComparison(
            sample.name,
            labels.numel(),
            int((~close).sum()),
            int((different & ~close.numpy()).sum()),
            int((different & close.numpy()).sum()),
            max((_largest(*pair) for pair in pairs), default=None),
            labels[0].numpy().astype(np.uint8),
            found[0],
        )

    def _pair(
        self, given: Sequence[Any], expected: Sequence[Tensor]
    ) -> tuple[npt.NDArray[np.uint8], list[tuple[Any, Any]]]:
        """Labels of the file, and the pairs of outputs to compare."""
        if self.about.part == "scale":
            pairs = [(own, other.numpy()) for own, other in zip(given, expected, strict=True)]
            return np.asarray(given[0]).argmax(axis=1).astype(np.uint8), pairs
        found = np.asarray(given[0])
        if self.about.output == "logits":
            return found, [(given[1], expected[0].numpy())]
        if self.about.output == "confidence":
            temperature = self.about.header.temperature
            confidence = (expected[0] / temperature).softmax(dim=1).amax(dim=1)
            return found, [(given[1], confidence.numpy())]
        return found, []


def name_compared(about: ExportedHeader) -> str:
    """The outputs that are compared in addition to labels, in words; empty if there are none."""
    if about.part == "scale":
        return "logits, attention and features of a scale"
    return "" if about.output == "labels" else about.output


def as_batch(sample: SampleImage) -> npt.NDArray[np.uint8]:
    """(1, 3, H, W) uint8, the form in which files take images."""
    return np.ascontiguousarray(sample.pixels.transpose(2, 0, 1)[None])


def read_given(folder: Path, index: int) -> list[Any]:
    """Read and remove the outputs that the file gave for an image, in order."""
    found: list[Any] = []
    while (path := folder / f"{index}.{len(found)}.npy").exists():
        found.append(np.load(path))
        path.unlink()
    return found


def _largest(own: Any, other: Any) -> float:
    own = np.asarray(own)
    if own.shape != other.shape:
        raise UserError(f"an output has the shape {own.shape}, and the network's {other.shape}")
    difference = np.abs(own.astype(np.float32) - other).max()
    return float(difference) if np.isfinite(difference) else float("inf")
