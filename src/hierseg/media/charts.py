"""Figures as charts: bars in groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hierseg.media.rendering import Picture

LEFT, TOP, BAR, ROW, GAP = 190, 72, 420, 24, 34
NOTES = 330
INK, FAINT, PAPER, SHADE, MARKED = (
    (34, 34, 34),
    (150, 150, 150),
    (255, 255, 255),
    (140, 165, 200),
    (70, 110, 170),
)


class Bar(NamedTuple):
    """A figure of a chart.

    Attributes:
        name: What it is of.
        value: 0 or more; None where there is none.
        note: Words behind the bar.
        is_marked: Whether it stands out.
    """

    name: str
    value: float | None
    note: str = ""
    is_marked: bool = False


def draw_bars(title: str, subtitle: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> Picture:
    """(H, W, 3) RGB: a bar a row under the heading of its group, each group on a scale of its own.

    Args:
        title: Of the chart.
        subtitle: What the bars measure.
        groups: Headings, and their bars.
    """
    height = TOP + sum(GAP + ROW * len(bars) for _, bars in groups) + 16
    picture = Image.new("RGB", (LEFT + BAR + NOTES, height), PAPER)
    draw = ImageDraw.Draw(picture)
    _write(draw, (16, 10), title, 18)
    _write(draw, (16, 40), subtitle, 13)
    top = TOP
    for heading, bars in groups:
        _write(draw, (16, top + 8), heading, 15)
        top += GAP
        largest = max((bar.value for bar in bars if bar.value), default=1.0)
        for bar in bars:
            _write(draw, (32, top + 3), bar.name, 13)
            right = LEFT + round(BAR * (bar.value or 0) / largest)
            if bar.value is not None:
                shade = MARKED if bar.is_marked else SHADE
                draw.rectangle((LEFT, top + 2, right, top + ROW - 5), fill=shade)
            _write(draw, (right + 8, top + 3), bar.note, 13, INK if bar.value else FAINT)
            top += ROW
    return np.asarray(picture)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    words: str,
    size: int,
    color: tuple[int, int, int] = INK,
) -> None:
    draw.text(place, words, fill=color, font=ImageFont.load_default(size))
