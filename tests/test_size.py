from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierseg.errors import UsageError
from hierseg.size import Size


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_text_is_height_by_width_and_reads_back(height: int, width: int) -> None:
    size = Size(height, width)
    assert str(size) == f"{height}x{width}"
    assert Size.parse(str(size)) == (height, width)


def test_spaces_and_a_capital_are_allowed() -> None:
    assert Size.parse(" 256 X 512 ") == Size(256, 512)


@pytest.mark.parametrize(
    "text", ["", "256", "256x", "x512", "0x5", "-1x5", "2.5x5", "1x2x3", "axb"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="HEIGHTxWIDTH"):
        Size.parse(text)
