"""Names of classes from the files that people keep beside their masks."""

from __future__ import annotations

import colorsys
import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hierseg.data.recognition.listing import Listing
from hierseg.errors import make_printable
from hierseg.files import read_text_file
from hierseg.labels import CAMVID, Color

LARGEST = 1 << 20
MOST_NAMES = 1000
NAME_FILES = (
    "classes.txt", "labels.txt", "codes.txt", "names.txt", "obj.names", "class_names.txt",
)  # fmt: skip
"""A name a line, the first of id 0."""
COLOR_FILES = ("labelmap.txt", "label_colors.txt", "class_dict.csv", "label_colours.txt")
_LABELMAP = re.compile(r"([^:#]+):(\d+),(\d+),(\d+):.*")
_COLOR_FIRST = re.compile(r"(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\S.*)")
_NAME_FIRST = re.compile(r"([^,;\t]+)[,;\t]\s*(\d+)[,;\s]+(\d+)[,;\s]+(\d+)\s*")
GREY_BELOW = 0.15
HUES = (
    (15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (195, "cyan"), (255, "blue"),
    (285, "purple"), (330, "magenta"), (360, "red"),
)  # fmt: skip
"""Degrees up to which a hue has a name."""
VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
VOC_BORDER: Color = (224, 224, 192)
"""Colour of the borders of objects in VOC's coloured masks, which are ignored."""


@dataclass(frozen=True)
class Names:
    """The names of classes that were found.

    Attributes:
        by_id: Id -> name.
        by_color: Colour -> name.
        source: The file, or what else they are from; empty where there are none.
        ignored: Ids that stand for no class.
    """

    by_id: Mapping[int, str] = field(default_factory=dict)
    by_color: Mapping[Color, str] = field(default_factory=dict)
    source: str = ""
    ignored: frozenset[int] = frozenset()


def read_names(listing: Listing) -> Names:
    """Names from the files of a folder; none where it has no such file."""
    for text in listing.texts:
        if text.name.lower() in COLOR_FILES:
            found = _read_colors(listing.root / text)
            if found:
                return Names(by_color=found, source=str(text))
    for text in listing.texts:
        name = text.name.lower()
        if name in NAME_FILES or (name in ("labels.json", "classes.json", "id2label.json")):
            lines = _read_list(listing.root / text)
            if lines:
                return Names(by_id=lines, source=str(text))
    return Names()


def guess_names(ids: frozenset[int], layout: str, size: tuple[int, int]) -> Names:
    """Names that go with a layout and its ids: those of Pascal VOC, and of CamVid as it is passed
    on; none where they do not fit.
    """
    if layout == "Pascal VOC" and ids <= {*range(len(VOC)), 255}:
        return Names(dict(enumerate(VOC)), source="Pascal VOC", ignored=frozenset({255}))
    is_camvid = ids <= set(range(12)) and 11 in ids and size == (360, 480)
    if layout.endswith("CamVid's") and is_camvid:
        return Names(dict(enumerate(CAMVID.names)), source="CamVid", ignored=frozenset({11}))
    return Names()


def name_color(color: Color) -> str:
    """The usual word for a colour: its hue's, or that of a grey."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in color))
    if saturation < GREY_BELOW or value < GREY_BELOW:
        return "black" if value < 0.2 else "white" if value > 0.85 else "grey"
    word = next(word for end, word in HUES if 360 * hue <= end)
    return f"dark {word}" if value < 0.55 else word


def make_single(names: list[str]) -> list[str]:
    """Names as they are shown, each once: a second one has its number behind it."""
    taken: set[str] = set()
    single = []
    for name in names:
        plain = make_printable(name.strip()) or "class"
        choice, number = plain, 2
        while choice in taken:
            choice, number = f"{plain} {number}", number + 1
        taken.add(choice)
        single.append(choice)
    return single


def _read_colors(path: Path) -> dict[Color, str]:
    """Colour -> name from CVAT's labelmap.txt, from "R G B name" and from "name,r,g,b"."""
    found: dict[Color, str] = {}
    for line in read_text_file(path, "list of colours", LARGEST).splitlines()[:MOST_NAMES]:
        for pattern, name_at in ((_LABELMAP, 1), (_COLOR_FIRST, 4), (_NAME_FIRST, 1)):
            match = pattern.fullmatch(line.strip())
            if match is None or line.startswith("#"):
                continue
            first = 1 if name_at == 4 else 2
            red, green, blue = (int(match[first + n]) for n in range(3))
            if max(red, green, blue) <= 255:
                found.setdefault((red, green, blue), match[name_at].strip().strip('"'))
            break
    return found


def _read_list(path: Path) -> dict[int, str]:
    """Id -> name: a name a line, "id name", or JSON as a list or an object; none of other forms."""
    text = read_text_file(path, "list of names", LARGEST)
    if path.suffix == ".json":
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        if isinstance(content, list) and all(isinstance(name, str) for name in content):
            return dict(enumerate(content[:MOST_NAMES]))
        if isinstance(content, dict) and all(key.isdigit() for key in content):
            return {int(key): str(name) for key, name in list(content.items())[:MOST_NAMES]}
        return {}
    rows = [row[0].strip() for row in csv.reader(text.splitlines()[:MOST_NAMES]) if row]
    numbered = [re.fullmatch(r"(\d{1,5})[\s:=]+(\S.*)", row) for row in rows]
    if rows and all(numbered):
        return {int(match[1]): match[2] for match in numbered if match}
    return dict(enumerate(row for row in rows if row))
