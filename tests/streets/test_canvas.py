"""Painting: colour and label id always cover the same pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hierseg.streets.canvas import Canvas

SHAPE = np.array([[5.2, 3.1], [24.7, 6.0], [19.5, 17.3], [2.0, 12.8]])
COLOR, LABEL = (200, 100, 50), 26


def fill(canvas: Canvas) -> None:
    canvas.fill(SHAPE, COLOR, LABEL)


def stroke(canvas: Canvas) -> None:
    canvas.stroke(SHAPE, COLOR, LABEL, 2.4)


def paste(canvas: Canvas) -> None:
    canvas.paste(np.full((8, 8, 3), COLOR, np.uint8), np.diag([4.0, 3.0, 1.0]), SHAPE, LABEL)


def stamp(canvas: Canvas) -> None:
    mask = (np.arange(100).reshape(10, 10) % 3 == 0).astype(np.uint8)
    canvas.stamp(np.full((10, 10, 3), COLOR, np.uint8), mask, 15, -3, LABEL)


@pytest.mark.parametrize("paint", [fill, stroke, paste, stamp])
def test_opaque_paint_covers_color_and_label_alike(paint: Callable[[Canvas], None]) -> None:
    canvas = Canvas(20, 30)
    paint(canvas)
    covered = canvas.labels == LABEL
    assert 10 < covered.sum() < 500
    assert (canvas.labels[~covered] == 0).all()
    assert (canvas.pixels[covered][:, :3] == COLOR).all()
    assert (canvas.pixels[~covered][:, :3] == 0).all()


def test_paste_covers_what_fill_covers() -> None:
    filled, pasted = Canvas(20, 30), Canvas(20, 30)
    fill(filled)
    paste(pasted)
    assert (filled.labels == pasted.labels).all()


def test_veil_mixes_colors_but_not_labels() -> None:
    canvas = Canvas(20, 30)
    canvas.pixels[:] = (100, 100, 100, 7)
    canvas.veil(SHAPE, (200, 0, 100), LABEL, 0.25)
    covered = canvas.labels == LABEL
    opaque = Canvas(20, 30)
    fill(opaque)
    assert (covered == (opaque.labels == LABEL)).all()
    assert (canvas.labels[~covered] == 7).all()
    assert (canvas.pixels[covered][:, :3] == (125, 75, 100)).all()
    assert (canvas.pixels[~covered][:, :3] == 100).all()


@pytest.mark.parametrize("paint", [fill, stroke, paste, stamp])
def test_what_lies_outside_is_left_out(paint: Callable[[Canvas], None]) -> None:
    canvas, wide = Canvas(10, 12), Canvas(20, 30)
    paint(canvas)
    paint(wide)
    assert (canvas.pixels == wide.pixels[:10, :12]).all()
