"""YOLO's text files: a line for each polygon, the class's number, then corners in [0, 1]."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from hierseg.data.described.documents import read_document
from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.listing import Entry, Listing, find_split
from hierseg.data.recognition.shapes import Shape, make_polygon
from hierseg.errors import UserError
from hierseg.files import read_text_file
from hierseg.labels import IGNORE
from hierseg.wording import count

_BOX = 5


def find_yolo(listing: Listing) -> Layout | None:
    """images/ and labels/ of texts, with names in data.yaml; None where there are no such texts.

    An image without a text holds background alone, as YOLO takes it.
    """
    texts = {path for path in listing.texts if path.suffix == ".txt" and "labels" in path.parts}
    if not texts:
        return None
    entries: list[Entry] = []
    shapes: dict[Path, list[Shape]] = {}
    highest, empty = -1, 0
    for image in listing.pictures:
        if "images" not in image.parts:
            continue
        at = len(image.parts) - 1 - image.parts[::-1].index("images")
        text = PurePosixPath(*image.parts[:at], "labels", *image.parts[at + 1 :])
        text = text.with_suffix(".txt")
        path = listing.root / image
        shapes[path] = _read_shapes(listing.root / text) if text in texts else []
        empty += text not in texts
        highest = max([highest, *(shape.label - 1 for shape in shapes[path])])
        entries.append(Entry(path, None, find_split(list(image.parts[:-1]))))
    if highest < 0:
        return None
    given = _read_names(listing)
    if highest + 1 >= IGNORE:
        raise UserError(f"'{listing.root}' has a class {highest}; at most 254 are allowed.")
    names = {number + 1: given.get(number, f"class {number}") for number in range(highest + 1)}
    notes = [f"{count(empty, 'image')} without a text file taken as background."] if empty else []
    return Layout("YOLO polygons", tuple(entries), tuple(notes), shapes, {0: "background", **names})


def _read_shapes(path: Path) -> list[Shape]:
    shapes = []
    lines = read_text_file(path, "YOLO labels").splitlines()
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"'{path}' line {number}"
        if len(words) == _BOX:
            raise UserError(f"{where} is a box, not a polygon; export YOLO's segmentation form.")
        try:
            label = int(words[0])
            corners = make_polygon([float(word) for word in words[1:]], where)
        except ValueError as error:
            raise UserError(
                f"{where} is not a polygon of YOLO (a class's number, then corners); export it "
                "again."
            ) from error
        if not 0 <= label < IGNORE or not -1 <= corners.min() <= corners.max() <= 2:
            raise UserError(
                f"{where} has a class or a corner out of range; corners are shares from 0 to 1."
            )
        shapes.append(Shape(label + 1, (corners,), in_shares=True))
    return shapes


def _read_names(listing: Listing) -> dict[int, str]:
    """Number -> name from data.yaml, or from a list of names beside it."""
    for text in listing.texts:
        if text.suffix in (".yaml", ".yml"):
            found: Any = read_document(listing.root / text, "YOLO data file")
            names = found.get("names") if isinstance(found, dict) else None
            if isinstance(names, list):
                return dict(enumerate(map(str, names)))
            if isinstance(names, dict):
                return {key: str(name) for key, name in names.items() if isinstance(key, int)}
    for text in listing.texts:
        if text.name in ("classes.txt", "obj.names", "names.txt", "labels.txt"):
            lines = read_text_file(listing.root / text, "list of classes").splitlines()
            return dict(enumerate(line.strip() for line in lines if line.strip()))
    return {}
