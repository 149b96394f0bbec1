"""The images of a page as JSON, from which the page's script builds the cards near the screen.

The cards of thousands of images are hundreds of thousands of elements, too many for a browser at
once. Text that many cards share (folders, captions, ends of names) is written once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hierseg.labels import LabelSpace
from hierseg.media import hex_colors
from hierseg.pages.records import ImageRecord, Panel

SHOWN_SHARE = 0.001
"""Classes with a smaller share of an image are neither shown nor found by the filter."""
OTHER_COLOR = "#888888"
"""Colour of a class that is not in the label space."""

_DIGITS = 5


class _Table:
    """Numbers repeated values by their first occurrence."""

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self.places.setdefault(value, len(self.places))


def describe_cards(
    records: Sequence[ImageRecord], lists: Mapping[str, Sequence[str]], space: LabelSpace
) -> str:
    """The images as JSON, safe within a script element, since ``<`` is escaped.

    Returns:
        JSON with ``images``, for each its ``name``; ``address``, its name quoted for URLs, if that
        differs; ``folder``, an index of ``folders``, and ``file``, its name there; ``size``
        (height, width); ``confidence``, if it is known; ``shares`` (class, share, class, share,
        ...); ``panels``, indices; and further ``facts``.
        ``classes``: name and colour of the classes that ``shares`` numbers, train ids first.
        ``labels``: the number of train ids.
        ``panels``: kind, caption, and the picture's URL before and after the image's address; after
        is null if the URL does not contain the address.
        ``lists``: title -> indices of images, in the order of the list.
    """
    classes, folders, panels = _Table(), _Table(), _Table()
    for name in space.names:
        classes.place(name)
    images = [_describe(record, classes, folders, panels) for record in records]
    places = {record.name: place for place, record in enumerate(records)}
    colors = hex_colors(space)
    known = {
        "images": images,
        "classes": [[name, colors.get(name, OTHER_COLOR)] for name in classes.places],
        "labels": len(space.names),
        "folders": list(folders.places),
        "panels": list(panels.places),
        "lists": {
            title: [places[name] for name in names if name in places]
            for title, names in lists.items()
        },
    }
    return json.dumps(known, separators=(",", ":")).replace("<", "\\u003c")


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
    """Kind, caption, and the panel's URL before and after the image's address."""
    before, found, after = panel.file.partition(name)
    return panel.kind, panel.caption, _quote(before), _quote(after) if found else None


def _quote(path: str) -> str:
    return quote(os.fsencode(path))
