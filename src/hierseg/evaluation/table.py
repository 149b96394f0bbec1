"""An evaluation as a table of plain text."""

from __future__ import annotations

from hierseg.evaluation.formatting import format_percent, join_lines
from hierseg.evaluation.result import Evaluation
from hierseg.wording import count


def format_table(evaluation: Evaluation) -> str:
    """IoU, precision and recall of each class in per cent, then the means and their counts."""
    scores = evaluation.scores
    width = max(map(len, ("class", *evaluation.names)))
    lines = [
        f"{evaluation.data} {evaluation.split}: {count(evaluation.images, 'image')} "
        f"{_how(evaluation)}",
        *([f"not the standard split: {evaluation.note}"] if evaluation.note else []),
        "",
        f"{'class':{width}}  {'IoU':>6}  {'precision':>9}  {'recall':>6}",
    ]
    for name in evaluation.names:
        iou, precision, recall = scores.iou[name], scores.precision[name], scores.recall[name]
        lines.append(
            f"{name:{width}}  {format_percent(iou):>6}  {format_percent(precision):>9}  "
            f"{format_percent(recall):>6}"
        )
    lines += [
        "",
        f"mIoU {format_percent(scores.miou)} over "
        f"{count(scores.num_classes_averaged, 'class', 'classes')} of {len(evaluation.names)}",
        f"pixel accuracy {format_percent(scores.pixel_accuracy)}, "
        f"mean class accuracy {format_percent(scores.mean_class_accuracy)}, "
        f"frequency-weighted IoU {format_percent(scores.frequency_weighted_iou)}",
    ]
    if open_pixels := sum(evaluation.unlabelled):
        lines.append(f"{open_pixels:,} counted pixels are left open by the label maps: wrong")
    return join_lines(lines)


def _how(evaluation: Evaluation) -> str:
    if not evaluation.scales:
        return f"by {evaluation.mode}"
    scales = " ".join(f"{scale:g}" for scale in evaluation.scales)
    flip = " with flip" if evaluation.flip else ""
    return f"at scales {scales}{flip}" + (
        "" if evaluation.mode == "whole" else f", {evaluation.mode}"
    )
