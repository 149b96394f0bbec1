from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierseg.data.globs import compile_glob

names = st.text("abc", min_size=1, max_size=5)
parts = st.one_of(
    st.just("**"),
    st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]"]), min_size=1).map("".join),
)


def _by_backtracking(pattern: str, path: str) -> tuple[str, ...] | None:
    """What a greedy regular expression says."""
    rules = {"**/": "((?:[^/]+/)*)", "*": "([^/]*)", "?": "[^/]", "[!a]": "[^/a]"}
    tokens = re.findall(r"\*\*/|\[[^\]]+\]|.", pattern)
    found = re.fullmatch("".join(rules.get(token, token) for token in tokens), path)
    return None if found is None else found.groups()


@given(
    st.lists(parts, min_size=1, max_size=4).filter(
        lambda found: found[-1] != "**" and not any("**" in part and part != "**" for part in found)
    ),
    st.lists(names, min_size=1, max_size=5),
)
def test_stars_stand_for_what_a_greedy_match_gives_them(
    pattern: list[str], path: list[str]
) -> None:
    whole, there = "/".join(pattern), "/".join(path)
    assert compile_glob(whole)(there) == _by_backtracking(whole, there)


@pytest.mark.parametrize(
    ("pattern", "path", "groups"),
    [
        ("*_*.png", "a_b_c.png", ("a_b", "c")),
        ("**/a/**/*.png", "x/a/a/y.png", ("x/a/", "", "y")),
        ("./img//*.png", "img/1.png", ("1",)),
        ("[]x]?.png", "]1.png", ()),
        ("[!!]*", "!a", None),
        ("[", "[", ()),
        ("*.png", ".hidden.png", None),
        ("**/*.png", ".git/a.png", None),
        (".*/*.png", ".git/a.png", ("git", "a")),
        ("*", "a/b", None),
        ("?", "", None),
    ],
)
def test_what_a_pattern_matches(pattern: str, path: str, groups: tuple[str, ...] | None) -> None:
    assert compile_glob(pattern)(path) == groups


def test_many_stars_do_not_multiply_the_time() -> None:
    start = time.process_time()
    for pattern, path in (
        ("*a" * 14 + "*b", "a" * 200),
        ("*?" * 200 + "b", "a" * 250),
        ("**/*a*/" * 14 + "b", "a/" * 200 + "c"),
    ):
        assert compile_glob(pattern)(path) is None
    assert time.process_time() - start < 2
