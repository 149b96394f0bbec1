"""The summary of auto-labels as a picture: bars by class, and how confidence is spread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hierseg.autolabel.summary import AutoSummary
from hierseg.wording import count

WIDTH = 900
NAME_WIDTH = 190
ROW = 34
HEAD = 84
CHART = 190
BAR = 420
INK, FAINT, PAPER = (34, 34, 34), (200, 200, 200), (255, 255, 255)


def draw_summary(summary: AutoSummary) -> npt.NDArray[np.uint8]:
    """(H, 900, 3) RGB: each class's share of the pixels, in its colour, and below it in grey that
    after the threshold; what is kept of it, and its mean confidence; the histogram of confidence.
    """
    height = HEAD + ROW * len(summary.classes) + CHART
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    header = summary.header
    _text(draw, (16, 12), f"Auto-labels of {header.data} {header.split}", 20)
    line = (
        f"{count(summary.images, 'image')}; confidence from {header.threshold:g}: "
        f"{100 * summary.kept:.1f} % of the pixels"
    )
    _text(draw, (16, 40), line, 14)
    longest = max([0.01, *(max(c.share, c.kept_share) for c in summary.classes)])
    for x, words in (
        (NAME_WIDTH, "share of the pixels; grey: after the threshold"),
        (WIDTH - 205, "kept"),
        (WIDTH - 110, "confidence"),
    ):
        _text(draw, (x, 62), words, 12)
    colors = header.label_space.colors
    for row, (entry, color) in enumerate(zip(summary.classes, colors, strict=True)):
        top = HEAD + ROW * row
        _text(draw, (16, top + 6), entry.name[:26], 14)
        for offset, share, fill in ((3, entry.share, color), (15, entry.kept_share, (150,) * 3)):
            right = NAME_WIDTH + round(BAR * share / longest)
            box = (NAME_WIDTH, top + offset, right, top + offset + 10)
            draw.rectangle(box, fill=fill, outline=FAINT)
        longer = round(BAR * max(entry.share, entry.kept_share) / longest)
        _text(draw, (NAME_WIDTH + longer + 8, top + 6), f"{100 * entry.share:.2f} %", 12)
        for x, value in ((WIDTH - 205, entry.kept), (WIDTH - 110, entry.confidence)):
            _text(draw, (x, top + 6), "-" if value is None else f"{100 * value:.1f} %", 14)
    _draw_histogram(draw, summary, HEAD + ROW * len(summary.classes))
    return np.asarray(picture)


def _draw_histogram(draw: ImageDraw.ImageDraw, summary: AutoSummary, top: int) -> None:
    """Share of the pixels by confidence, 0 to 1 from left to right."""
    left, right, bottom = NAME_WIDTH, WIDTH - 110, top + CHART - 44
    _text(draw, (16, top + 18), "pixels by", 14)
    _text(draw, (16, top + 36), "confidence", 14)
    highest = max([0.01, *summary.histogram])
    step = (right - left) / max(1, len(summary.histogram))
    for place, share in enumerate(summary.histogram):
        x = left + place * step
        y = bottom - round((CHART - 80) * share / highest)
        draw.rectangle((x, y, x + step - 2, bottom), fill=(70, 110, 170))
        if share >= 0.005:
            _text(draw, (int(x), y - 16), f"{100 * share:.0f}", 12)
    draw.line((left, bottom, right, bottom), fill=INK)
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = round(left + value * (right - left))
        draw.line((x, bottom, x, bottom + 5), fill=INK)
        _text(draw, (x - 6, bottom + 8), f"{value:g}", 12)
    x = round(left + summary.header.threshold * (right - left))
    draw.line((x, top + 16, x, bottom), fill=(200, 40, 40), width=2)
    _text(draw, (x + 6, top + 14), "threshold", 12)


def _text(draw: ImageDraw.ImageDraw, place: tuple[int, int], words: str, size: int) -> None:
    draw.text(place, words, fill=INK, font=ImageFont.load_default(size))
