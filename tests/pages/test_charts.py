from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from hierseg.pages import Series, draw_curves, draw_points, pick_color
from hierseg.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis


def circles(drawing: str) -> list[tuple[float, float]]:
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawing)
    return [(float(x), float(y)) for x, y in found]


def ticks(drawing: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", drawing)


def test_a_curve_rises_from_left_to_right_within_its_frame() -> None:
    drawing = draw_curves([Series("a", "#123456", [(1, 0.2), (2, 0.4), (5, 0.6)])], "epoch", "IoU")
    (x1, y1), (x2, y2), (x3, y3) = circles(drawing)
    assert (x1, x3) == (LEFT, WIDTH - RIGHT)
    assert x2 == pytest.approx(LEFT + (WIDTH - RIGHT - LEFT) / 4, abs=0.1)
    assert HEIGHT - BOTTOM > y1 > y2 > y3 > TOP
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert {"1", "2", "5", "0.2", "0.4", "0.6", "epoch", "IoU"} <= set(ticks(drawing))
    ElementTree.fromstring(drawing)


def test_numbers_far_apart_are_on_a_logarithmic_axis() -> None:
    points = [Series(str(x), "#000", [(x, 1.0)]) for x in (1e-4, 1e-3, 1e-2)]
    x1, x2, x3 = (x for x, _ in circles(draw_points(points, "lr", "IoU")))
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    near = [Series(str(x), "#000", [(x, 1.0)]) for x in (1, 2, 4)]
    x1, x2, x3 = (x for x, _ in circles(draw_points(near, "lr", "IoU")))
    assert (x3 - x2) == pytest.approx(2 * (x2 - x1), abs=0.2)


def test_text_makes_categories_and_every_name_is_escaped() -> None:
    series = [Series("<a&b>", "#000", [("<sgd>", 0.1)]), Series("c", "#000", [("adam", 0.2)])]
    drawing = draw_points(series, "<x>", "IoU")
    assert len({x for x, _ in circles(drawing)}) == 2
    assert "<sgd>" not in drawing
    assert "<a&b>" not in drawing
    ElementTree.fromstring(drawing)


def test_a_single_value_and_none_at_all() -> None:
    assert draw_curves([], "epoch", "IoU") == ""
    assert draw_points([Series("a", "#000", [])], "lr", "IoU") == ""
    [(x, y)] = circles(draw_curves([Series("a", "#000", [(1, 0.0)])], "epoch", "IoU"))
    assert LEFT <= x <= WIDTH - RIGHT
    assert TOP < y < HEIGHT - BOTTOM


def test_ticks_are_round_and_inside() -> None:
    found = Axis(0.13, 0.58, 0, 100).list_ticks()
    assert found == pytest.approx([0.2, 0.3, 0.4, 0.5])
    assert Axis(1e-4, 1e-2, 0, 100, is_log=True).list_ticks() == pytest.approx(
        [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2]
    )


def test_colours_do_not_repeat() -> None:
    assert len({pick_color(number) for number in range(40)}) == 40
