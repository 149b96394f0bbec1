"""A label space in a JSON file beside the data.

It has the keys of ``LabelSpace.to_dict``. All but ``names`` may be left out: then raw ids are train
ids, 255 is ignored, and colours are generated.
"""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

from hierseg.data.described.documents import parse_json
from hierseg.data.described.keys import check_keys
from hierseg.errors import UserError
from hierseg.files import read_text_file
from hierseg.labels import IGNORE, Color, LabelSpace

KEYS = (
    "name", "names", "colors", "raw_ids", "ignored_raw_ids", "merged_raw_ids", "ignore",
    "void_raw_id",
)  # fmt: skip


def read_label_space(path: Path) -> LabelSpace:
    """The label space in a JSON file; keys other than ``names`` have defaults."""
    kind = 'a JSON object with the class names as a list, "names"'
    given: Any = parse_json(read_text_file(path, "label space"), path, kind)
    if not isinstance(given, dict) or not isinstance(given.get("names"), list):
        raise UserError(f"'{path}' is not {kind}.")
    names = given["names"]
    check_keys(given, KEYS, f"'{path}'")
    colors = given.get("colors", [])
    if isinstance(colors, list) and any(
        isinstance(value, float) for color in colors if isinstance(color, list) for value in color
    ):
        raise UserError(
            f"'{path}' has colours that are not integers; give red, green and blue in 0..255."
        )
    ignore = given.get("ignore", IGNORE)
    defaults = {
        "name": path.parent.name,
        "colors": [list(make_color(train, len(names))) for train in range(len(names))],
        "raw_ids": list(range(len(names))),
        "ignored_raw_ids": [ignore],
        "merged_raw_ids": {},
        "ignore": ignore,
        "void_raw_id": ignore,
    }
    try:
        return LabelSpace.from_dict({**defaults, **given})
    except UserError as error:
        raise UserError(f"'{path}' cannot be used: {error}") from error


def make_color(train: int, count: int) -> Color:
    """RGB of a class of ``count``: hues far apart, neighbours of different brightness."""
    value = 0.95 if train % 2 == 0 else 0.65
    red, green, blue = colorsys.hsv_to_rgb(train / count, 0.75, value)
    return round(255 * red), round(255 * green), round(255 * blue)
