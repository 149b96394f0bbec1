from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from hierseg.data.described.classes import read_classes, read_palette
from hierseg.errors import UserError

BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    + [
        f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]"
        for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ]
)
VALUES: dict[str, Any] = {
    "a hex number of 5,000 digits": int("f" * 5000, 16),
    "its negative": -int("f" * 5000, 16),
    "a sexagesimal float": yaml.safe_load("1:30.5"),
    "infinity": float("inf"),
    "no number": float("nan"),
    "a boolean": True,
    "nothing": None,
    "a text": "7" * 100_000,
    "bytes": b"\xff",
    "a date": yaml.safe_load("2001-01-01"),
    "a list": [[1]],
    "a table": {"a": 1},
    "a set": {1, 2},
    "a bomb": yaml.safe_load(BOMB)["j"],
    "too high": 65536,
    "negative": -1,
}


@pytest.mark.parametrize("name", VALUES)
def test_whatever_stands_for_an_id_ends_as_a_short_sentence(name: str) -> None:
    value, began = VALUES[name], time.process_time()
    is_name = isinstance(value, str)
    for given in (
        {"classes": [{"name": "a", "id": value}]},
        {"classes": [{"name": "a", "ids": [3, value]}]},
        {"classes": [{"name": "a", "color": [1, 2, value]}]},
        {"classes": [{"name": value, "id": value}]},
        {"classes": [] if is_name else [value]},
        {"classes": value},
        {"classes": ["a"], "ignore": [value]},
        {"classes": ["a"], "ignore": value},
        {"classes": ["a"], "encoding": value},
    ):
        with pytest.raises(UserError) as caught:
            read_classes(given, "toy", "'data.yaml'")
        assert len(str(caught.value)) < 400
    if value is not None:
        with pytest.raises(UserError):
            read_palette({"palette": value}, "'data.yaml'")
    assert time.process_time() - began < 2


KEYS = {"huge": int("f" * 5000, 16), "none": None, "float": 3.5, "long": "nmae" * 100_000}


@pytest.mark.parametrize("name", KEYS)
def test_whatever_stands_for_a_key_ends_as_a_short_sentence(name: str) -> None:
    began = time.process_time()
    with pytest.raises(UserError, match="has an unknown key") as caught:
        read_classes({"classes": [{"name": "a", KEYS[name]: 1}]}, "toy", "'data.yaml'")
    assert len(str(caught.value)) < 300
    assert time.process_time() - began < 2


def test_many_ids_are_read_in_no_time() -> None:
    given = {"classes": [{"name": "a", "ids": [*range(30_000)]}]}
    given["ignore"] = [*range(30_000, 65_536)] * 5  # type: ignore[list-item]
    began = time.process_time()
    space, _ = read_classes(given, "toy", "'data.yaml'")
    assert len(space.ignored_raw_ids) == 35_536
    assert time.process_time() - began < 3
