"""An evaluation as a table of plain text."""

from __future__ import annotations

from collections.abc import Callable

from hierseg.errors import make_printable
from hierseg.evaluation.formatting import format_percent, join_lines
from hierseg.evaluation.result import Evaluation
from hierseg.wording import count

Column = tuple[str, Callable[[str], str]]
"""A heading, and the function that gives the text below it for a class name."""


def format_evaluation(evaluation: Evaluation, full: bool = False) -> str:
    """IoU, precision and recall of each class in per cent, then the means and their counts.

    Args:
        evaluation: The evaluation; if it has scores of each scale, their IoU is a column each.
        full: Also true positives in pixels, and false positives and false negatives as multiples
            of them.
    """
    scores = evaluation.scores
    lines = [
        f"{evaluation.data} {evaluation.split}: {count(evaluation.images, 'image')} "
        f"{_how(evaluation)}",
        *([f"not the standard split: {evaluation.note}"] if evaluation.note else []),
        *([f"gated: {evaluation.gate}"] if evaluation.gate else []),
        *([f"engine: {evaluation.engine}"] if evaluation.engine else []),
        *_tell_where_counted(evaluation),
        "",
        *_lay_out(evaluation.names, _choose_columns(evaluation, full)),
        "",
        f"mIoU {format_percent(scores.miou)} over "
        f"{count(scores.num_classes_averaged, 'class', 'classes')} of {len(evaluation.names)}",
        *_tell_scales(evaluation),
        *_tell_loss(evaluation),
        f"pixel accuracy {format_percent(scores.pixel_accuracy)}, "
        f"mean class accuracy {format_percent(scores.mean_class_accuracy)}, "
        f"frequency-weighted IoU {format_percent(scores.frequency_weighted_iou)}",
    ]
    if open_pixels := sum(evaluation.unlabelled):
        lines.append(f"{open_pixels:,} counted pixels have no class in the label maps: wrong")
    return join_lines(lines)


def _choose_columns(evaluation: Evaluation, full: bool) -> list[Column]:
    scores = evaluation.scores
    columns: list[Column] = [("IoU", lambda name: format_percent(scores.iou[name]))]
    for scale, found in sorted(evaluation.per_scale.items()):
        columns.append(
            (f"IoU at {scale:g}", lambda name, found=found: format_percent(found.iou[name]))  # type: ignore[misc]
        )
    if full:
        right, more = evaluation.true_positives, evaluation.false_positives
        less = evaluation.false_negatives
        columns += [
            ("TP", lambda name: f"{right[name]:,}"),
            ("FP/TP", lambda name: _format_ratio(more[name], right[name])),
            ("FN/TP", lambda name: _format_ratio(less[name], right[name])),
        ]
    return [
        *columns,
        ("precision", lambda name: format_percent(scores.precision[name])),
        ("recall", lambda name: format_percent(scores.recall[name])),
    ]


def _lay_out(names: tuple[str, ...], columns: list[Column]) -> list[str]:
    """The lines of a table: classes on the left, figures right-aligned under their headings."""
    width = max(map(len, ("class", *map(make_printable, names))))
    cells = [[heading, *map(make, names)] for heading, make in columns]
    widths = [max(6, *map(len, column)) for column in cells]
    rows = zip(("class", *map(make_printable, names)), *cells, strict=True)
    return [
        f"{name:{width}}  "
        + "  ".join(f"{cell:>{room}}" for cell, room in zip(row, widths, strict=True))
        for name, *row in rows
    ]


def _format_ratio(wrong: int, right: int) -> str:
    return f"{wrong / right:.3f}" if right else "-"


def _tell_where_counted(evaluation: Evaluation) -> list[str]:
    if evaluation.counted_at == "label":
        return []
    return [
        "counted at the size that images ran at, labels resized to it; --count-at label counts the "
        "label maps' own pixels"
    ]


def _tell_scales(evaluation: Evaluation) -> list[str]:
    if not evaluation.per_scale:
        return []
    each = [f"{found.miou:.2%} at {s:g}" for s, found in sorted(evaluation.per_scale.items())]
    return [f"mIoU of each scale alone: {', '.join(each).replace('%', '')}"]


def _tell_loss(evaluation: Evaluation) -> list[str]:
    if evaluation.loss is None:
        return []
    return [f"loss {evaluation.loss:.4f}, the mean cross-entropy of a pixel in nats"]


def _how(evaluation: Evaluation) -> str:
    if not evaluation.scales:
        return f"by {evaluation.mode}"
    scales = " ".join(f"{scale:g}" for scale in evaluation.scales)
    flip = " with flip" if evaluation.flip else ""
    fusion = {"average": ", averaged", "": ""}.get(evaluation.fusion, f", {evaluation.fusion}")
    return f"at scales {scales}{flip}{fusion}" + (
        "" if evaluation.mode == "whole" else f", {evaluation.mode}"
    )
