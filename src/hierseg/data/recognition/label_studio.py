"""Label Studio's brush masks: a PNG of each label of each task, and the JSON that names images."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hierseg.data.described.documents import parse_json
from hierseg.data.recognition.coco import LARGEST
from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.listing import Entry, Listing, describe_unpaired
from hierseg.data.recognition.shapes import Shape
from hierseg.errors import UserError
from hierseg.files import read_text_file

_NAME = re.compile(r"task-(\d+)-annotation-(\d+)-by-(.*?)-([^-]+)-(.+)-(\d+)", re.DOTALL)
"""Task, annotation, who made it, the control's name, the label, and its number."""


def find_brushes(listing: Listing) -> Layout | None:
    """Brush masks with the images of their tasks; None where there are no such masks.

    Of several annotations of a task the last counts. A task's image is the one that the JSON export
    names, or that is called after the task (12.jpg, task-12.jpg).
    """
    layers: dict[int, dict[int, list[tuple[int, str, PurePosixPath]]]] = {}
    for path in listing.pictures:
        if match := _NAME.fullmatch(path.stem):
            task, annotation, _, _, label, number = match.groups()
            of_task = layers.setdefault(int(task), {})
            of_task.setdefault(int(annotation), []).append((int(number), label, path))
    if not layers:
        return None
    last = {task: of_task[max(of_task)] for task, of_task in layers.items()}
    labels = sorted({label for own in last.values() for _, label, _ in own})
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    masks = {path for of_task in layers.values() for own in of_task.values() for *_, path in own}
    images = [path for path in listing.pictures if path not in masks]
    places = _place_tasks(listing, images)
    entries: list[Entry] = []
    shapes: dict[Path, list[Shape]] = {}
    for task, own in sorted(last.items()):
        if task in places:
            image = listing.root / places[task]
            entries.append(Entry(image, None))
            shapes[image] = [
                Shape(numbers[label], layer=listing.root / path)
                for _, label, path in sorted(own, key=lambda one: (one[1], one[0]))
            ]
    if not entries:
        raise UserError(
            f"'{listing.root}' holds Label Studio's brush masks, which are named after tasks, and "
            "no image of a task; put the images and the JSON export of the project beside them."
        )
    left = [path for path in images if listing.root / path not in shapes]
    names = {0: "background", **{number: label for label, number in numbers.items()}}
    notes = tuple(describe_unpaired(left))
    return Layout("Label Studio's brush masks", tuple(entries), notes, shapes, names)


def _place_tasks(listing: Listing, images: list[PurePosixPath]) -> dict[int, PurePosixPath]:
    """Task -> its image."""
    places = {}
    for image in images:
        if match := re.fullmatch(r"(?:task[-_]?)?(\d+)", image.stem):
            places[int(match[1])] = image
    by_name = {image.name: image for image in images}
    for text in listing.texts:
        if text.suffix.lower() == ".json":
            content = parse_json(
                read_text_file(listing.root / text, "export", LARGEST), listing.root / text
            )
            for task in content if isinstance(content, list) else []:
                name = _name_image(task)
                number = task.get("id") if isinstance(task, dict) else None
                if type(number) is int and name is not None:
                    # An upload has eight digits before the name that the image had.
                    own = by_name.get(name) or by_name.get(re.sub(r"^[0-9a-f]{8}-", "", name))
                    if own is not None:
                        places[number] = own
    return places


def _name_image(task: Any) -> str | None:
    """The file name of a task's image: the last part of the address among its data."""
    data = task.get("data") if isinstance(task, dict) else None
    for value in data.values() if isinstance(data, dict) else ():
        if isinstance(value, str) and value:
            address = urlsplit(value)
            # Files of the machine are given by a query: /data/local-files/?d=photos/a.jpg
            path = parse_qs(address.query).get("d", [address.path])[0]
            return PurePosixPath(unquote(path)).name
    return None
