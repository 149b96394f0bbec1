"""The boundary measures of an evaluation, as a table and as JSON."""

from __future__ import annotations

import copy
from typing import Any

from hierseg.data import Record, SegmentationDataset
from hierseg.errors import make_printable
from hierseg.evaluation.formatting import format_percent, join_lines, none_if_nan
from hierseg.evaluation.merging import merge_in_order
from hierseg.evaluation.scoring import Labels
from hierseg.metrics import BoundaryCounts, BoundaryScores
from hierseg.wording import count


class BoundaryWatcher:
    """Counts the borders of each image as it is scored.

    Args:
        dataset: The split.
    """

    def __init__(self, dataset: SegmentationDataset) -> None:
        self.space = dataset.label_space
        self._parts: dict[int, BoundaryCounts] = {}

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Count the borders of one image."""
        assert record.labels is not None
        counts = self._begin()
        counts.update(labels, record.labels)
        self._parts[index] = counts

    def copy_for_worker(self) -> BoundaryWatcher:
        """See ``PortableWatcher``."""
        copy_of = copy.copy(self)
        copy_of._parts = {}
        return copy_of

    def expect(self, index: int) -> None:
        """Nothing."""

    def hand_over(self, index: int) -> BoundaryCounts:
        """See ``Noting``."""
        return self._parts.pop(index)

    def take(self, index: int, seen: BoundaryCounts) -> None:
        """See ``PortableWatcher``."""
        self._parts[index] = seen

    def scores(self) -> BoundaryScores:
        """The measures of the images so far, over all processes; each process must call it."""
        return merge_in_order(self._parts, self._begin()).scores(self.space.names)

    def _begin(self) -> BoundaryCounts:
        return BoundaryCounts(self.space.num_classes, self.space.ignore)


def format_boundaries(scores: BoundaryScores) -> str:
    """Boundary IoU and F-scores of each class in per cent, then their means."""
    tolerances = list(scores.f_score)
    width = max(map(len, ("class", *map(make_printable, scores.iou))))
    heads = "".join(f"  {f'F {tolerance} px':>7}" for tolerance in tolerances)
    bands = " or ".join(map(str, scores.widths))
    lines = [
        f"boundaries: Boundary IoU in bands of {bands} pixels, F-score within "
        f"{', '.join(map(str, tolerances))} pixels",
        "",
        f"{'class':{width}}  {'Boundary IoU':>12}{heads}",
    ]
    for name, iou in scores.iou.items():
        cells = "".join(f"  {format_percent(scores.f_score[t][name]):>7}" for t in tolerances)
        lines.append(f"{make_printable(name):{width}}  {format_percent(iou):>12}{cells}")
    means = ", ".join(f"{format_percent(scores.mean_f_score[t])} within {t}" for t in tolerances)
    davis = ", ".join(format_percent(scores.mean_f_score_davis[t]) for t in tolerances)
    lines += [
        "",
        f"mean Boundary IoU {format_percent(scores.mean_iou)} over "
        f"{count(scores.num_classes_averaged, 'class', 'classes')}",
        f"mean F-score {means}",
        f"as in DAVIS, where an image without a border of the class counts 1: {davis}",
    ]
    return join_lines(lines)


def boundaries_to_json(scores: BoundaryScores) -> dict[str, Any]:
    """All measures as JSON, fractions in [0, 1]; null for a class without borders."""
    return {
        "mean_boundary_iou": none_if_nan(scores.mean_iou),
        "num_classes_averaged": scores.num_classes_averaged,
        "band_widths": list(scores.widths),
        "boundary_iou": {name: none_if_nan(value) for name, value in scores.iou.items()},
        "mean_f_score": {str(t): none_if_nan(value) for t, value in scores.mean_f_score.items()},
        "mean_f_score_davis": {
            str(t): none_if_nan(value) for t, value in scores.mean_f_score_davis.items()
        },
        "f_score": {
            str(t): {name: none_if_nan(value) for name, value in values.items()}
            for t, values in scores.f_score.items()
        },
    }
