"""The reliability diagram (Guo et al., ICML 2017, arXiv 1706.04599, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from hierseg.metrics import CalibrationScores

SIDE = 340
STRIP = 70
LEFT, TOP, GAP, BOTTOM = 74, 98, 74, 50
INK, FAINT, PAPER = (34, 34, 34), (215, 215, 215), (255, 255, 255)
BAR, BELOW, ABOVE = (70, 110, 170), (224, 140, 130), (150, 200, 160)


def draw_reliability(scores: Sequence[CalibrationScores], title: str) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, a panel for each temperature: accuracy by confidence, and below it the
    share of the pixels in each bin.

    On the diagonal accuracy equals confidence. The gap of a bin whose accuracy is below its mean
    confidence is red (overconfident); if it is above, the gap is green (underconfident).
    """
    width = LEFT + len(scores) * (SIDE + GAP) - GAP + 30
    picture = Image.new("RGB", (width, TOP + SIDE + STRIP + BOTTOM), PAPER)
    draw = ImageDraw.Draw(picture)
    _write(draw, (16, 10), title, 18)
    for place, (color, words) in enumerate(((BELOW, "overconfident"), (ABOVE, "underconfident"))):
        draw.rectangle((16 + 140 * place, 40, 28 + 140 * place, 52), fill=color)
        _write(draw, (34 + 140 * place, 38), words, 13)
    for number, one in enumerate(scores):
        _draw_panel(draw, LEFT + number * (SIDE + GAP), one)
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


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], words: str, size: int) -> None:
    draw.text(place, words, fill=INK, font=ImageFont.load_default(size))
