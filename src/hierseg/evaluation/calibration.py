"""Calibration over a split: its measures, and the temperature that corrects it."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hierseg.data import Record, SegmentationDataset
from hierseg.errors import UserError
from hierseg.evaluation.formatting import join_lines, none_if_nan
from hierseg.evaluation.merging import merge_in_order
from hierseg.evaluation.scoring import Labels
from hierseg.metrics import (
    CalibrationCounts,
    CalibrationScores,
    Offsets,
    fit_offsets,
    fit_temperature,
)

SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds of confidence whose effect is printed."""


class CalibrationWatcher:
    """Counts confidences against the truth, at temperature 1 and at a stored one.

    Args:
        dataset: The split.
        temperature: The temperature stored in the checkpoint; None if there is none.
    """

    def __init__(self, dataset: SegmentationDataset, temperature: float | None = None) -> None:
        self.ignore = dataset.label_space.ignore
        self.temperatures = [1.0] if temperature is None else [1.0, temperature]
        self._parts: list[dict[int, CalibrationCounts]] = [{} for _ in self.temperatures]

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Nothing: labels say nothing of confidence."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """Count one image."""
        assert record.labels is not None
        truth = torch.from_numpy(record.labels)
        for temperature, parts in zip(self.temperatures, self._parts, strict=True):
            parts[index] = CalibrationCounts(temperature)
            parts[index].update(logits, truth, self.ignore)

    def copy_for_worker(self) -> CalibrationWatcher:
        """See ``PortableWatcher``."""
        copy_of = copy.copy(self)
        copy_of._parts = [{} for _ in self.temperatures]
        return copy_of

    def expect(self, index: int) -> None:
        """Nothing."""

    def hand_over(self, index: int) -> list[CalibrationCounts]:
        """See ``Noting``."""
        return [parts.pop(index) for parts in self._parts]

    def take(self, index: int, seen: Sequence[CalibrationCounts]) -> None:
        """See ``PortableWatcher``."""
        for parts, counts in zip(self._parts, seen, strict=True):
            parts[index] = counts

    def scores(self) -> list[CalibrationScores]:
        """The measures of the images so far, temperature 1 first, over all processes; each process
        must call it.
        """
        return [
            merge_in_order(parts, CalibrationCounts(temperature)).scores()
            for temperature, parts in zip(self.temperatures, self._parts, strict=True)
        ]


@dataclass(frozen=True)
class Fit:
    """A fitted temperature, and the calibration of the pixels that it was fitted on.

    Attributes:
        temperature: The temperature that minimises their negative log-likelihood.
        before: Their calibration at temperature 1.
        after: Their calibration at the fitted temperature.
    """

    temperature: float
    before: CalibrationScores
    after: CalibrationScores


class LogitSample:
    """Keeps the logits of some counted pixels of each image.

    The choice depends on the seed and on the image's name alone, not on order or device.

    Args:
        dataset: The split.
        pixels: Most pixels to keep of each image.
        seed: Seed of the choice.
    """

    def __init__(self, dataset: SegmentationDataset, pixels: int, seed: int = 0) -> None:
        self.ignore = dataset.label_space.ignore
        self.pixels, self.seed = pixels, seed
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Nothing: labels say nothing of confidence."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """Keep pixels of one image."""
        assert record.labels is not None
        places = np.flatnonzero(record.labels != self.ignore)
        if len(places) > self.pixels:
            random = np.random.default_rng(
                [self.seed, zlib.crc32(record.name.encode("utf-8", "surrogateescape"))]
            )
            places = np.sort(random.choice(places, self.pixels, replace=False))
        chosen = torch.from_numpy(places).to(logits.device)
        self._logits.append(logits.flatten(1)[:, chosen].float().cpu().T)
        self._labels.append(torch.from_numpy(record.labels.reshape(-1)[places]))

    def fit(self) -> Fit:
        """Fit a temperature to the kept pixels; UserError if there are none or logits are not
        finite.
        """
        logits, labels = self._gather("temperature")
        temperature = fit_temperature(logits, labels)
        scores = []
        for value in (1.0, temperature):
            counts = CalibrationCounts(value)
            counts.update(logits.T, labels, self.ignore)
            scores.append(counts.scores())
        return Fit(temperature, *scores)

    def fit_offsets(self) -> Offsets:
        """Fit class offsets to the kept pixels; errors as in ``fit``."""
        return fit_offsets(*self._gather("offsets"))

    def _gather(self, fitted: str) -> tuple[Tensor, Tensor]:
        """(N, K) logits and (N,) labels of all kept pixels."""
        labels = torch.cat(self._labels) if self._labels else torch.zeros(0)
        if not len(labels):
            raise UserError("no pixel of these images has a label; fit on a labelled split.")
        logits = torch.cat(self._logits)
        if not bool(logits.isfinite().all()):
            raise UserError(
                "the network's outputs are NaN or infinite, so no "
                f"{fitted} can be fitted; use other weights."
            )
        return logits, labels


def format_calibration(scores: Sequence[CalibrationScores]) -> str:
    """A line for each temperature, and what thresholds of confidence leave at the last one."""
    lines = [f"calibration over {scores[0].pixels:,} pixels, {len(scores[0].bins)} bins:"]
    if not scores[0].pixels:
        return f"{lines[0]} no pixel counts"
    lines += [
        f"temperature {one.temperature:.4g}: ECE {100 * one.ece:.2f} %, NLL {one.nll:.4f}, "
        f"accuracy {100 * one.accuracy:.2f} %, mean confidence {100 * one.confidence:.2f} %"
        for one in scores
    ]
    return join_lines([*lines, *_list_coverage(scores[-1])])


def _list_coverage(scores: CalibrationScores) -> list[str]:
    """What ``predict --unknown`` would leave, and how much of the error it would remove."""
    wrong = 1 - scores.accuracy
    lines = [f"what --unknown leaves, at temperature {scores.temperature:.4g}:"]
    for threshold in SHOWN:
        point = scores.keep(threshold)
        if not point.coverage:
            continue
        left = (1 - point.accuracy) * point.coverage
        removed = f", {100 * (1 - left / wrong):.1f} % of the wrong pixels gone" if wrong else ""
        lines.append(
            f"{threshold:g}: {100 * point.coverage:.2f} % of the pixels keep a class, "
            f"{100 * point.accuracy:.2f} % of these are right{removed}"
        )
    return lines


def calibration_to_json(scores: CalibrationScores) -> dict[str, Any]:
    """All measures as JSON; null for the means of empty bins."""
    return {
        "temperature": scores.temperature,
        "ece": none_if_nan(scores.ece),
        "nll": none_if_nan(scores.nll),
        "accuracy": none_if_nan(scores.accuracy),
        "confidence": none_if_nan(scores.confidence),
        "pixels": scores.pixels,
        "bins": [
            {
                "low": one.low,
                "high": one.high,
                "pixels": one.pixels,
                "accuracy": none_if_nan(one.accuracy),
                "confidence": none_if_nan(one.confidence),
            }
            for one in scores.bins
        ],
        "coverage": [
            {
                "threshold": one.threshold,
                "coverage": none_if_nan(one.coverage),
                "accuracy": none_if_nan(one.accuracy),
            }
            for one in scores.coverage
        ],
    }
