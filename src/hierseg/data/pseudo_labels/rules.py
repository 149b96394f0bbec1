"""Coarse and auto-labels, and the rules that decide which of their pixels count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.options import ExtraRules
from hierseg.data.reading import DataError, UInt8Array, read_confidence
from hierseg.labels import LabelSpace

INNER_ROWS = slice(15, 840)
INNER_COLUMNS = slice(14, 2030)
"""The part of a Cityscapes frame without the rectification's border and the car's own bonnet."""


@dataclass(frozen=True)
class PseudoSample(Sample):
    """A sample with a label map that a model made, or a coarse one.

    Attributes:
        confidence: 8-bit confidence of the label map, 255 for certain; None counts every pixel.
        coarse: The coarse label map, None where no class is taken from it.
    """

    confidence: Path | None = None
    coarse: Path | None = None


class PseudoLabelledDataset(SegmentationDataset):
    """Images with coarse or auto-labels, read by the rules of METHOD section 6.

    Args:
        name: Name of the data set.
        split: Name of the split.
        label_space: Of all label maps.
        samples: At least one.
        rules: How labels are trusted.
    """

    def __init__(
        self,
        name: str,
        split: str,
        label_space: LabelSpace,
        samples: Sequence[PseudoSample],
        rules: ExtraRules,
    ) -> None:
        super().__init__(name, split, label_space, samples)
        rules.check(label_space.num_classes)
        self.rules = rules
        self.label_rule = rules.describe()

    def list_files(self, index: int) -> list[Path]:
        """Image, label map, confidence and coarse label map, as far as they are used."""
        sample = self._sample(index)
        files = (sample.confidence, sample.coarse)
        return super().list_files(index) + [path for path in files if path is not None]

    def read_labels(self, index: int) -> UInt8Array | None:
        """(H, W) uint8 train ids, ignore where the rules do not trust a pixel."""
        sample, rules, ignore = self._sample(index), self.rules, self.label_space.ignore
        if sample.label is None:
            return None
        labels = self.encode_file(sample.label)
        distrusted: npt.NDArray[np.bool_] | None = None
        if sample.confidence is not None:
            confidence = self._read_beside(read_confidence(sample.confidence), labels, sample)
            distrusted = confidence < rules.threshold * 255
        if sample.coarse is not None:
            coarse = self._read_beside(self.encode_file(sample.coarse), labels, sample)
            taken = np.isin(coarse, rules.from_coarse)
            if rules.coarse_rule == "coarse":
                taken |= np.isin(labels, rules.from_coarse)
                if distrusted is not None:
                    distrusted &= ~taken
            labels = np.where(taken, coarse, labels)
        if distrusted is not None:
            labels = np.where(distrusted, np.uint8(ignore), labels)
        if rules.mask_outer:
            masked = np.full_like(labels, ignore)
            masked[INNER_ROWS, INNER_COLUMNS] = labels[INNER_ROWS, INNER_COLUMNS]
            labels = masked
        return labels

    def _sample(self, index: int) -> PseudoSample:
        sample = self.samples[index]
        assert isinstance(sample, PseudoSample)  # the constructor takes no others
        return sample

    @staticmethod
    def _read_beside(values: Any, labels: UInt8Array, sample: PseudoSample) -> Any:
        if values.shape != labels.shape:
            raise DataError(
                f"the confidence or the coarse label of '{sample.label}' has another size than "
                "that label map; make them again."
            )
        return values
