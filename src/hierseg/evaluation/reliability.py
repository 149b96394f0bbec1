"""The reliability diagram (Guo et al., ICML 2017, arXiv 1706.04599, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hierseg.metrics import CalibrationScores, CoveragePoint

SIDE = 340
STRIP = 70
LEFT, TOP, GAP, BOTTOM = 74, 98, 74, 50
TICKS = (0.1, 0.2, 0.5, 1, 2, 4, 5, 10, 20)
"""Per cent between the lines of the risk-coverage curve."""
INK, FAINT, PAPER = (34, 34, 34), (215, 215, 215), (255, 255, 255)
BAR, BELOW, ABOVE = (70, 110, 170), (224, 140, 130), (150, 200, 160)


def draw_reliability(scores: Sequence[CalibrationScores], title: str) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, a panel for each temperature: accuracy by confidence, and below it the
    share of the pixels in each bin. The last panel is the risk-coverage curve at the last
    temperature.

    On the diagonal accuracy equals confidence. The gap of a bin whose accuracy is below its mean
    confidence is red (overconfident); if it is above, the gap is green (underconfident).
    """
    width = LEFT + (len(scores) + 1) * (SIDE + GAP) - GAP + 30
    picture = Image.new("RGB", (width, TOP + SIDE + STRIP + BOTTOM), PAPER)
    draw = ImageDraw.Draw(picture)
    _write(draw, (16, 10), title, 18)
    for place, (color, words) in enumerate(((BELOW, "overconfident"), (ABOVE, "underconfident"))):
        draw.rectangle((16 + 140 * place, 40, 28 + 140 * place, 52), fill=color)
        _write(draw, (34 + 140 * place, 38), words, 13)
    for number, one in enumerate(scores):
        _draw_panel(draw, LEFT + number * (SIDE + GAP), one)
    _draw_coverage(draw, LEFT + len(scores) * (SIDE + GAP), scores[-1])
    return np.asarray(picture)


def _draw_panel(draw: ImageDraw.ImageDraw, left: int, scores: CalibrationScores) -> None:
    bottom = TOP + SIDE
    head = f"temperature {scores.temperature:.4g}: ECE {100 * scores.ece:.2f} %"
    _write(draw, (left, TOP - 40), head, 15)
    _write(draw, (left, TOP - 19), "share of right pixels by confidence", 12)
    for tenth in range(0, 11, 2):
        offset = SIDE * tenth // 10
        draw.line((left, bottom - offset, left + SIDE, bottom - offset), fill=FAINT)
        _write(draw, (left - 30, bottom - offset - 8), f"{tenth / 10:.1f}", 12)
        _write(draw, (left + offset - 8, bottom + STRIP + 8), f"{tenth / 10:.1f}", 12)
    for one in scores.bins:
        x0, x1 = left + SIDE * one.low, left + SIDE * one.high - 1
        height = STRIP * one.pixels / max(1, scores.pixels)
        base = bottom + STRIP
        draw.rectangle((x0, base - round(0.85 * height), x1, base), fill=(170, 170, 170))
        if not one.pixels:
            continue
        right, sure = bottom - SIDE * one.accuracy, bottom - SIDE * one.confidence
        draw.rectangle((x0, right, x1, bottom), fill=BAR)
        gap = BELOW if right > sure else ABOVE
        draw.rectangle((x0, min(right, sure), x1, max(right, sure)), fill=gap)
    draw.line((left, bottom, left + SIDE, TOP), fill=INK, width=1)
    draw.rectangle((left, TOP, left + SIDE, bottom), outline=INK)
    draw.line((left, bottom + STRIP, left + SIDE, bottom + STRIP), fill=INK)
    _write(draw, (left, bottom + STRIP + 26), "confidence; grey: share of the pixels", 12)


def _draw_coverage(draw: ImageDraw.ImageDraw, left: int, scores: CalibrationScores) -> None:
    """Share of wrong pixels among those that keep their class, by the share that do."""
    bottom, points = TOP + SIDE, [one for one in scores.coverage if one.coverage > 0]
    _write(draw, (left, TOP - 40), f"temperature {scores.temperature:.4g}: --unknown", 15)
    _write(draw, (left, TOP - 19), "% wrong, of the pixels that keep a class", 12)
    worst = 100 * max((1 - one.accuracy for one in points), default=0.0)
    step = next(step for step in TICKS if step >= worst / 5)
    highest = 5 * step / 100
    for fifth in range(6):
        offset = SIDE * fifth // 5
        draw.line((left, bottom - offset, left + SIDE, bottom - offset), fill=FAINT)
        _write(draw, (left - 30, bottom - offset - 8), f"{step * fifth:g}", 12)
        _write(draw, (left + offset - 8, bottom + 8), f"{20 * fifth}", 12)

    def place(one: CoveragePoint) -> tuple[float, float]:
        return left + SIDE * one.coverage, bottom - SIDE * (1 - one.accuracy) / highest

    if len(points) > 1:
        draw.line([place(one) for one in points], fill=BAR, width=3)
    for one in points:
        if round(100 * one.threshold) in (50, 70, 90):
            x, y = place(one)
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=INK)
            _write(draw, (round(x) + 8, round(y)), f"{one.threshold:g}", 12)
    draw.rectangle((left, TOP, left + SIDE, bottom), outline=INK)
    _write(draw, (left, bottom + 26), "% of the pixels that keep a class", 12)
    _write(draw, (left, bottom + 44), "dots: confidence from which they keep it", 12)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], words: str, size: int) -> None:
    draw.text(place, words, fill=INK, font=ImageFont.load_default(size))
