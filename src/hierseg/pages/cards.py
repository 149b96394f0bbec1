"""The images of a page as data: from these the page's script builds the cards that are on screen.

Cards of thousands of images are hundreds of thousands of elements, which no browser shows at once;
what their text has in common (folders, captions, ends of names) is written once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hierseg.labels import LabelSpace
from hierseg.media import hex_of
from hierseg.pages.records import ImageRecord, Panel

SHOWN_SHARE = 0.001
"""Classes with a smaller share of an image are neither shown nor found by the filter."""
OTHER_COLOR = "#888888"
"""Of a class that the label space does not have."""

_DIGITS = 5


class _Table:
    """Values that occur often, each once, and the place of each."""

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self.places.setdefault(value, len(self.places))


def describe_cards(
    records: Sequence[ImageRecord], lists: Mapping[str, Sequence[str]], space: LabelSpace
) -> str:
    """JSON that may stand within a script element: no name ends it.

    Returns:
        ``images``: of each its ``name``, its ``address`` where that is not the name, the place of
        its ``folder`` and its ``file`` there, ``size`` (height, width), ``confidence`` where it is
        known, ``shares`` (class, share, class, share, ...), ``panels`` and further ``facts``;
        ``classes``: name and colour, by the numbers of ``shares``, train ids first;
        ``labels``: the number of train ids; ``folders``;
        ``panels``: kind, caption, and what stands before and after the image's address in that of
        the picture; without an image's address, after is null;
        ``lists``: title -> places of images, in the order of the list.
    """
    classes, folders, panels = _Table(), _Table(), _Table()
    for name in space.names:
        classes.place(name)
    images = [_describe(record, classes, folders, panels) for record in records]
    places = {record.name: place for place, record in enumerate(records)}
    known = {
        "images": images,
        "classes": [[name, find_color(name, space)] for name in classes.places],
        "labels": len(space.names),
        "folders": list(folders.places),
        "panels": list(panels.places),
        "lists": {
            title: [places[name] for name in names if name in places]
            for title, names in lists.items()
        },
    }
    return json.dumps(known, separators=(",", ":")).replace("<", "\\u003c")


def find_color(name: str, space: LabelSpace) -> str:
    """A class's colour as #rrggbb."""
    return hex_of(space.colors[space.names.index(name)]) if name in space.names else OTHER_COLOR


def _describe(
    record: ImageRecord, classes: _Table, folders: _Table, panels: _Table
) -> dict[str, Any]:
    folder, slash, file = record.source.rpartition("/")
    address = _quote(record.name)
    about: dict[str, Any] = {
        "name": record.name,
        "folder": folders.place(folder + slash),
        "file": file,
        "size": [record.height, record.width],
        "shares": [
            number
            for name, share in record.shares.items()
            if share >= SHOWN_SHARE
            for number in (classes.place(name), round(share, _DIGITS))
        ],
        "panels": [panels.place(_split(panel, record.name)) for panel in record.panels],
    }
    if address != record.name:
        about["address"] = address
    if record.confidence is not None:
        about["confidence"] = round(record.confidence, _DIGITS)
    if record.facts:
        about["facts"] = record.facts
    return about


def _split(panel: Panel, name: str) -> tuple[str, str, str, str | None]:
    """Kind, caption, and the panel's address before and after that of the image."""
    before, found, after = panel.file.partition(name)
    return panel.kind, panel.caption, _quote(before), _quote(after) if found else None


def _quote(path: str) -> str:
    return quote(os.fsencode(path))
