"""Bar charts as pictures, with bars in groups."""

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
    """A bar of a chart.

    Attributes:
        name: Label of the bar.
        value: 0 or more; None for no bar.
        note: Text to the right of the bar.
        is_marked: Whether the bar is highlighted.
    """

    name: str
    value: float | None
    note: str = ""
    is_marked: bool = False


def draw_bars(title: str, subtitle: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> Picture:
    """(H, W, 3) uint8 RGB: one bar per row, below the heading of its group. Each group has its own
    scale.

    Args:
        title: Title of the chart.
        subtitle: What the bars measure.
        groups: Heading and bars of each group.
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
