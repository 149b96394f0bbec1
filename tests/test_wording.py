from __future__ import annotations

import pytest

from hierseg.wording import count, count_are, count_were, find_nearest


@pytest.mark.parametrize(
    ("number", "one", "many"),
    [(0, "0 images", "0 classes"), (1, "1 image", "1 class"), (2, "2 images", "2 classes")],
)
def test_a_count_has_its_noun_and_its_verb(number: int, one: str, many: str) -> None:
    assert count(number, "image") == one
    assert count(number, "class", "classes") == many
    assert count_are(number, "image") == f"{one} {'is' if number == 1 else 'are'}"
    assert count_were(number, "image") == f"{one} {'was' if number == 1 else 'were'}"


def test_the_nearest_name_is_found_and_none_where_nothing_is_like_it() -> None:
    known = {"evaluate": 1, "predict": 2}
    assert find_nearest("predit", known) == "predict"
    assert find_nearest("xyz", known) == ""
    assert find_nearest("xyz", known, least=0.0) in known
    assert find_nearest(7, iter(["17", "x"]), least=0.5) == "17"
    assert find_nearest("evaluate" * 10**6, known) == ""
