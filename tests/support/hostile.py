"""Files of text as nobody should write them: sound documents that were altered at random.

``texts(document)`` is a strategy of hypothesis: JSON, which is YAML as well, of the document with
values exchanged, taken out or repeated, then with pieces of the text cut out or put in.
"""

from __future__ import annotations

import copy
import json
import math
from typing import Any

from hypothesis import strategies as st

Draw = st.DrawFn

LONG = "@long@"  # where a number of more digits than Python writes out goes
STRANGE = [
    None, True, False, -1, 0, 1, 2, 254, 255, 256, 65535, 65536, 2**63, 10**30, 10**400, 0.5, 1.5,
    -0.0, 1e308, math.inf, -math.inf, math.nan, LONG, "", "x", ".", "..", "/", "~", "../../x",
    "a" * 300, "a/" * 3000, "\x1b[31mred", "a\nb", "\0", "\ud800", "\u202e", "*", "**", "**/*",
    "*" * 40, "[z-a]", "[", "a.zip/b", "/dev/zero", "2020-01-01", "1:1",
]  # fmt: skip
VALUES = st.recursive(
    st.sampled_from(STRANGE) | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [
        "&a ", "*a", "<<: ", "!!python/name:os.system ", "!!binary ", "!!set ", "!!timestamp ",
        "!x ", "? ", "- ", "\n- ", "\t", "{", "}", "[", "]", ",", ": ", '"', "'", "\n", "\r", "#",
        "\n---\n", "%YAML 9.9\n", "0x" + "f" * 5000, "9" * 5000, "1" + ":59" * 900 + ".5", "NaN",
        "Infinity", "1e999", "\0", "\x85", "\u2028", "\ufeff", "[" * 5000, "{" * 5000,
        '{"a":' * 3000, "| \n", "> ",
    ]
)  # fmt: skip


@st.composite
def texts(draw: Draw, document: Any) -> str:
    """JSON of a document that was altered at random."""
    altered = {"whole": copy.deepcopy(document)}
    for _ in range(draw(st.integers(0, 3))):
        _alter(draw, altered)
    text = json.dumps(altered.get("whole"), ensure_ascii=draw(st.booleans()))
    text = text.replace(f'"{LONG}"', "9" * 5000)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + draw(PIECES | st.just("")) + text[end:]
    return text


def _alter(draw: Draw, whole: dict[str, Any]) -> None:
    """Exchange, take out or repeat one value, at any depth."""
    place: Any = whole
    key: Any = "whole"
    while True:
        inner = place.get(key) if isinstance(place, dict) else place[key]
        is_deeper = isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)) > 0
        if not is_deeper:
            break
        place = inner
        key = draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner))))
    kind = draw(st.sampled_from(["exchange", "exchange", "exchange", "remove", "repeat"]))
    if kind == "exchange" or place is whole:
        place[key] = draw(VALUES)
    elif kind == "remove":
        del place[key]
    elif isinstance(place, list):
        place.insert(key, copy.deepcopy(place[key]))
    else:
        place[draw(st.text(max_size=5))] = copy.deepcopy(place[key])


def encode(text: str) -> bytes:
    """As a file holds it; surrogates, which no file in UTF-8 can hold, as other bytes."""
    return text.encode("utf-8", "surrogatepass")
