"""Shares of the classes and confidence of auto-labels, before and after the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hierseg.data import BINS, AutoHeader, AutoRecords
from hierseg.errors import make_printable
from hierseg.wording import count


@dataclass(frozen=True)
class ClassSummary:
    """One class over all images.

    Attributes:
        name: Of the class.
        pixels: That have it.
        share: Of all pixels.
        kept_share: Of all pixels that the threshold keeps.
        kept: Share of the class's pixels that the threshold keeps; None where it has none.
        confidence: Mean over its pixels, 0 to 1; None where it has none.
    """

    name: str
    pixels: int
    share: float
    kept_share: float
    kept: float | None
    confidence: float | None


@dataclass(frozen=True)
class AutoSummary:
    """What was labelled, and how sure the network was.

    Attributes:
        header: What the labels were made by.
        images: Images done.
        skipped: Image -> why it was not.
        classes: By train id.
        kept: Share of all pixels that the threshold keeps.
        confidence: Mean over all pixels, 0 to 1.
        histogram: Share of the pixels by confidence, in equal parts of 0 to 1.
    """

    header: AutoHeader
    images: int
    skipped: dict[str, str]
    classes: tuple[ClassSummary, ...]
    kept: float
    confidence: float
    histogram: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, shares and confidences in [0, 1]."""
        return {
            "data": self.header.data,
            "split": self.header.split,
            "settings": dict(self.header.settings),
            "threshold": self.header.threshold,
            "images": self.images,
            "skipped": self.skipped,
            "kept": self.kept,
            "confidence": self.confidence,
            "histogram": list(self.histogram),
            "classes": {
                entry.name: {
                    "pixels": entry.pixels,
                    "share": entry.share,
                    "share_after_threshold": entry.kept_share,
                    "kept": entry.kept,
                    "confidence": entry.confidence,
                }
                for entry in self.classes
            },
        }


def summarise(found: AutoRecords) -> AutoSummary:
    """Add up records; of no images, every share is 0."""
    space = found.header.label_space
    totals = [[0, 0, 0] for _ in space.names]
    histogram = [0] * BINS
    for record in found.records.values():
        for train, counts in record.classes.items():
            totals[int(train)] = [a + b for a, b in zip(totals[int(train)], counts, strict=True)]
        histogram = [a + b for a, b in zip(histogram, record.histogram, strict=True)]
    pixels, _, kept = (max(1, sum(column)) for column in zip(*totals, strict=True))
    classes = tuple(
        ClassSummary(
            name=name,
            pixels=count,
            share=count / pixels,
            kept_share=kept_count / kept,
            kept=kept_count / count if count else None,
            confidence=sure / count / 255 if count else None,
        )
        for name, (count, sure, kept_count) in zip(space.names, totals, strict=True)
    )
    return AutoSummary(
        header=found.header,
        images=len(found.records),
        skipped=dict(found.skipped),
        classes=classes,
        kept=sum(total[2] for total in totals) / pixels,
        confidence=sum(total[1] for total in totals) / pixels / 255,
        histogram=tuple(count / pixels for count in histogram),
    )


def format_summary(summary: AutoSummary) -> str:
    """Shares before and after the threshold, what it keeps, and mean confidence, in per cent."""
    threshold = f"{summary.header.threshold:g}"
    after = f"share from {threshold}"
    width = max(map(len, ("class", *map(make_printable, summary.header.label_space.names))))
    title = f"{summary.header.data} {summary.header.split}"
    skipped = f", {len(summary.skipped)} skipped" if summary.skipped else ""
    lines = [
        f"{make_printable(title)}: {count(summary.images, 'image')} labelled{skipped}",
        "",
        f"{'class':{width}}  {'share':>6}  {after:>15}  {'kept':>6}  confidence",
    ]
    lines += [
        f"{make_printable(c.name):{width}}  {_percent(c.share)}  {_percent(c.kept_share):>15}  "
        f"{_percent(c.kept)}  {_percent(c.confidence):>10}"
        for c in summary.classes
    ]
    lines += [
        "",
        f"confidence from {threshold}: {_percent(summary.kept).strip()} % of the pixels; "
        f"mean confidence {_percent(summary.confidence).strip()} %",
    ]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return f"{'-' if value is None else f'{100 * value:.2f}':>6}"
