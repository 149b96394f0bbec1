"""The report of a check as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hierseg.data.checking.report import CheckReport, SplitReport
from hierseg.errors import make_printable

LISTED = 20
"""Problems of a split that the table shows; the JSON has all."""
SIZES = 3


def format_report(report: CheckReport) -> str:
    """Tables of splits and classes, then problems and warnings.

    Names of files and of classes come from outside: what is no printable character is escaped.
    """
    blocks = []
    if report.splits:
        blocks += [_format_splits(report.splits), _format_classes(report.splits)]
    problems = [("", report.problems)] + [(s.split, s.list_problems()) for s in report.splits]
    warnings = [("", report.list_warnings())] + [
        (s.split, s.list_warnings()) for s in report.splits
    ]
    blocks += _format_sentences("problems", problems) + _format_sentences("warnings", warnings)
    if not report.is_complete:
        blocks.append("the check was interrupted; above is what it had found until then.")
    elif report.would_go_wrong:
        blocks.append(make_printable(f"training on {report.name} would go wrong."))
    else:
        blocks.append(make_printable(f"{report.name} can be trained on."))
    return "\n\n".join(blocks)


def _format_splits(splits: Sequence[SplitReport]) -> str:
    rows = [["split", "images", "label maps", "problems", "sizes"]]
    for split in splits:
        counts = [split.images, split.labelled, len(split.list_problems())]
        rows.append([split.split, *map(str, counts), _format_sizes(split.sizes)])
    notes = [make_printable(f"{split.split}: {split.note}") for split in splits if split.note]
    return "\n".join([_align(rows, left=(0, 4)), *notes])


def _format_sizes(sizes: Counter[str]) -> str:
    shown = [f"{size} ({count})" for size, count in sizes.most_common(SIZES)]
    more = len(sizes) - len(shown)
    return ", ".join(shown) + (f", and {more} others" if more > 0 else "")


def _format_classes(splits: Sequence[SplitReport]) -> str:
    """Share of the counted pixels, and label maps, by class and labelled split."""
    labelled = [split for split in splits if split.labelled]
    if not labelled:
        return "no label map could be read."
    rows = [["id", "class", *(c for s in labelled for c in (f"{s.split} %", "files", "pixels"))]]
    for train, name in enumerate(labelled[0].names):
        row = [str(train), name]
        for split in labelled:
            share = 100 * split.pixels[train] / max(1, split.pixels.sum())
            row += [f"{share:.3f}", str(split.files[train]), str(split.pixels[train])]
        rows.append(row)
    row = ["", "ignored"]
    for split in labelled:
        share = 100 * split.ignored / max(1, split.pixels.sum() + split.ignored)
        row += [f"{share:.3f}", "", str(split.ignored)]
    return _align([*rows, row], left=(1,))


def _format_sentences(title: str, groups: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    lines = []
    for split, sentences in groups:
        start = f"  {split}: " if split else "  "
        lines += [make_printable(start + sentence) for sentence in sentences[:LISTED]]
        if len(sentences) > LISTED:
            more = f"{start}... and {len(sentences) - LISTED} more (--json FILE has all)."
            lines.append(make_printable(more))
    return ["\n".join([f"{title}:", *lines])] if lines else []


def _align(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    rows = [[make_printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
