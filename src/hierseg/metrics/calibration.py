"""Calibration: how far confidence differs from accuracy, and a temperature that corrects it.

Guo, Pleiss, Sun, Weinberger, *On Calibration of Modern Neural Networks*, ICML 2017, arXiv
1706.04599. K classes, N pixels, M bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15
"""Number of bins of equal width; the paper's tables have 15 as well."""
TEMPERATURES = (0.02, 50.0)
"""Limits of a fitted temperature; a network without errors would get 0."""
STEPS = 100
"""Steps of the thresholds of ``CalibrationScores.coverage`` from 0 to 1."""
THRESHOLDS = torch.arange(STEPS + 1, dtype=torch.float64) / STEPS
CHUNK = 1 << 18
"""Pixels processed together, so that copies of their logits stay small."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The pixels whose confidence is in (low, high].

    Attributes:
        low: Lower limit of the confidence, not in the bin.
        high: Upper limit, in the bin.
        pixels: Number of pixels.
        accuracy: Share of them whose label is right; NaN without pixels.
        confidence: Their mean confidence; NaN without pixels.
    """

    low: float
    high: float
    pixels: int
    accuracy: float
    confidence: float


@dataclass(frozen=True)
class CoveragePoint:
    """The pixels that keep their class if those of lower confidence lose it.

    Attributes:
        threshold: The lowest confidence that keeps its class.
        coverage: Share of the pixels that keep theirs.
        accuracy: Share of these whose label is right; NaN without pixels.
    """

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True)
class CalibrationScores:
    """Calibration over the counted pixels of a data set; NaN without pixels.

    Attributes:
        ece: Expected calibration error in [0, 1]: the mean of |accuracy - confidence| over bins,
            weighted by their pixels.
        nll: Mean negative log-likelihood of the true class, in nats.
        accuracy: Share of pixels whose label is right.
        confidence: Mean confidence.
        pixels: Number of pixels counted.
        temperature: The temperature that logits were divided by.
        bins: The M bins, by ascending confidence.
        coverage: The risk-coverage curve (Geifman and El-Yaniv, NeurIPS 2017, arXiv 1705.08500): a
            point for each threshold 0, 0.01, ..., 1.
    """

    ece: float
    nll: float
    accuracy: float
    confidence: float
    pixels: int
    temperature: float
    bins: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]

    def keep(self, threshold: float) -> CoveragePoint:
        """The point of ``coverage`` at a threshold, a multiple of 0.01 in [0, 1]."""
        return self.coverage[round(threshold * STEPS)]


class CalibrationCounts:
    """Counts pixels, and right ones, by confidence.

    Args:
        temperature: The temperature that logits are divided by.
        bins: M, the number of bins of equal width; bin m has confidences in ((m - 1) / M, m / M].
    """

    def __init__(self, temperature: float = 1.0, bins: int = BINS) -> None:
        self.temperature = temperature
        self.edges = torch.arange(bins + 1, dtype=torch.float64) / bins
        self.pixels = torch.zeros(bins, dtype=torch.int64)
        self.right = torch.zeros(bins, dtype=torch.int64)
        self.confidence = torch.zeros(bins, dtype=torch.float64)
        self.nll = 0.0
        # By the number of thresholds that a confidence reaches: pixels, and right ones.
        self.reaching = torch.zeros(2, STEPS + 1, dtype=torch.int64)

    @torch.inference_mode()
    def update(self, logits: Tensor, labels: Tensor, ignore: int = 255) -> None:
        """Count pixels.

        Args:
            logits: (K, ...) float, any device.
            labels: (...) integer train ids; pixels of ``ignore`` do not count.
            ignore: The label that does not count.
        """
        flat, truth = logits.flatten(1), labels.flatten().to(logits.device)
        for start in range(0, truth.numel(), CHUNK):
            part = truth[start : start + CHUNK].long()
            counted = part != ignore
            self._count(flat[:, start : start + CHUNK][:, counted].float(), part[counted])

    def _count(self, logits: Tensor, truth: Tensor) -> None:
        """Count N pixels: (K, N) float32 logits and (N,) int64 labels."""
        label = logits.argmax(0)
        likelihood = (logits / self.temperature).log_softmax(0)
        confidence = likelihood.gather(0, label[None])[0].exp().double().clamp(max=1).cpu()
        right = (label == truth).cpu()
        # (low, high]: an inner edge belongs to the bin below it.
        index = torch.bucketize(confidence, self.edges[1:-1])
        length = len(self.pixels)
        self.pixels += torch.bincount(index, minlength=length)
        self.right += torch.bincount(index[right], minlength=length)
        self.confidence += torch.bincount(index, confidence, minlength=length)
        reached = torch.bucketize(confidence, THRESHOLDS[1:], right=True)
        for row, found in enumerate((reached, reached[right])):
            self.reaching[row] += torch.bincount(found, minlength=STEPS + 1)
        self.nll -= float(likelihood.gather(0, truth[None]).double().sum())

    def merge(self, other: CalibrationCounts) -> None:
        """Add the counts of another with the same bins and temperature.

        Raises:
            ValueError: Bins or temperature differ.
        """
        if (len(self.pixels), self.temperature) != (len(other.pixels), other.temperature):
            raise ValueError("counts of other bins or another temperature do not add")
        self.pixels += other.pixels
        self.right += other.right
        self.confidence += other.confidence
        self.reaching += other.reaching
        self.nll += other.nll

    def scores(self) -> CalibrationScores:
        """The measures of the pixels counted so far."""
        total = self.pixels.double().sum()
        gaps = (self.right - self.confidence).abs().sum()
        accuracy, confidence = self.right / self.pixels, self.confidence / self.pixels
        edges = self.edges.tolist()
        kept, kept_right = self.reaching.flip(1).cumsum(1).flip(1)
        return CalibrationScores(
            ece=float(gaps / total),
            nll=float(self.nll / total),
            accuracy=float(self.right.sum() / total),
            confidence=float(self.confidence.sum() / total),
            pixels=int(total),
            temperature=self.temperature,
            bins=tuple(
                ReliabilityBin(low, high, int(pixels), float(right), float(sure))
                for low, high, pixels, right, sure in zip(
                    edges[:-1], edges[1:], self.pixels, accuracy, confidence, strict=True
                )
            ),
            coverage=tuple(
                CoveragePoint(threshold, float(share), float(right))
                for threshold, share, right in zip(
                    THRESHOLDS.tolist(), kept / total, kept_right / kept, strict=True
                )
            ),
        )


@torch.inference_mode()
def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T that maximises the likelihood of the labels under softmax(logits / T).

    The mean negative log-likelihood is convex in b = 1 / T. Its derivatives are
    mean(E[z] - z_true) and mean(Var[z]), with z the logits of a pixel and E, Var over its softmax.
    Newton's method finds the root of the first; a step that leaves the bracket is replaced by the
    bracket's geometric mean.

    Args:
        logits: (N, K) float.
        labels: (N,) integer train ids.

    Returns:
        T, within ``TEMPERATURES``.

    Raises:
        ValueError: N is 0.
    """
    if len(labels) == 0:
        raise ValueError("there are no pixels to fit a temperature to")
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    sharpness = 1.0
    for _ in range(100):
        slope, curvature = _derivatives(logits, labels, sharpness)
        if slope > 0:
            high = sharpness
        else:
            low = sharpness
        step = sharpness - slope / curvature if curvature > 0 else math.inf
        moved = step if low < step < high else math.sqrt(low * high)
        if abs(moved - sharpness) <= 1e-9 * sharpness:
            break
        sharpness = moved
    return 1 / sharpness


def _derivatives(logits: Tensor, labels: Tensor, sharpness: float) -> tuple[float, float]:
    """First and second derivative of the mean negative log-likelihood with respect to 1 / T."""
    slope = curvature = 0.0
    for start in range(0, len(labels), CHUNK):
        part = logits[start : start + CHUNK].double()
        truth = labels[start : start + CHUNK].long()
        weights = (sharpness * part).softmax(1)
        mean = (weights * part).sum(1)
        slope += float((mean - part.gather(1, truth[:, None])[:, 0]).sum())
        curvature += float((weights * (part - mean[:, None]) ** 2).sum())
    return slope / len(labels), curvature / len(labels)
