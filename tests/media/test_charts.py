from __future__ import annotations

import numpy as np

from hierseg.media import Bar, draw_bars
from hierseg.media.charts import BAR, GAP, LEFT, MARKED, ROW, SHADE, TOP


def test_bars_are_as_long_as_their_values_within_a_group() -> None:
    picture = draw_bars(
        "title",
        "subtitle",
        [
            ("first", [Bar("one", 10.0), Bar("two", 5.0, is_marked=True)]),
            ("second", [Bar("three", 1.0), Bar("four", None, "not there")]),
        ],
    )
    assert picture.shape[0] == TOP + 2 * GAP + 4 * ROW + 16

    def length(row: int, color: tuple[int, int, int]) -> int:
        return int((picture[row, LEFT:] == color).all(-1).sum())

    first = TOP + GAP + 3
    assert length(first, SHADE) == BAR + 1
    assert length(first + ROW, MARKED) == BAR // 2 + 1
    second = first + 2 * ROW + GAP
    assert length(second, SHADE) == BAR + 1
    assert length(second + ROW, SHADE) == length(second + ROW, MARKED) == 0
    assert picture.dtype == np.uint8
