"""COCO JSON: images, categories, and regions as polygons or run lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from hierseg.data.described.documents import parse_json
from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.listing import Entry, ImagePlaces, Listing, find_split
from hierseg.data.recognition.shapes import Shape, decode_counts, make_polygon
from hierseg.errors import UserError, make_printable
from hierseg.files import read_text_file
from hierseg.labels import IGNORE
from hierseg.wording import count

LARGEST = 512 << 20
"""Bytes of a file: COCO's own has 470 million."""
_HEAD = 1 << 16


def find_coco(listing: Listing) -> Layout | None:
    """A folder with COCO's JSON, one file or one for each split; None where there is none."""
    files = [text for text in listing.texts if _may_be(listing.root / text)]
    documents = {}
    for text in files:
        content = parse_json(read_text_file(listing.root / text, "COCO file", LARGEST), Path(text))
        if _is_coco(content):
            documents[text] = content
    if not documents:
        return None
    categories = _read_categories(documents)
    numbers = {name: number for number, name in enumerate(sorted(categories.values()), start=1)}
    if len(numbers) >= IGNORE:
        raise UserError(f"'{listing.root}' has {len(numbers)} categories; at most 254 are allowed.")
    places = ImagePlaces(listing)
    shapes: dict[Path, list[Shape]] = {}
    entries, missing, without = [], [], 0
    for text, content in documents.items():
        where = f"'{listing.root / text}'"
        split = find_split([*text.parts[:-1], *text.stem.replace("-", "_").split("_")])
        own, boxes = _read_regions(content, numbers, where)
        without += boxes
        for image in content["images"]:
            number, name = _read_image(image, where)
            path = places.find(name, text.parent)
            if path is None:
                missing.append(name)
            elif path not in shapes:
                shapes[path] = own.get(number, [])
                entries.append(Entry(path, None, split))
    if not entries:
        raise UserError(
            f"'{listing.root / next(iter(documents))}' names {count(len(missing), 'image')}, none "
            f"of which is in '{listing.root}' (the first is '{make_printable(missing[0])}'); put "
            "the images beside it."
        )
    if not any(shapes.values()):
        raise UserError(
            f"the COCO files in '{listing.root}' have no segmentations but boxes at most; export "
            "polygons or masks."
        )
    notes = []
    if missing:
        notes.append(f"{count(len(missing), 'image')} named in COCO's files but missing.")
    if without:
        notes.append(f"{count(without, 'annotation')} without a region left out.")
    names = {0: "background", **{number: name for name, number in numbers.items()}}
    return Layout("COCO JSON", tuple(entries), tuple(notes), shapes, names)


def _may_be(path: Path) -> bool:
    """Whether a JSON file names COCO's lists, as far as its beginning or its size tells."""
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.lstrip().startswith(b"{") and (
        len(head) == _HEAD or all(key in head for key in (b'"images"', b'"annotations"'))
    )


def _is_coco(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ("images", "annotations", "categories")
    )


def _read_categories(documents: Mapping[PurePosixPath, Any]) -> dict[Any, str]:
    """Category id -> name, of those of all files that have regions."""
    names: dict[Any, str] = {}
    for text, content in documents.items():
        for one in content["categories"]:
            if not isinstance(one, dict) or not isinstance(one.get("id"), int | str):
                raise UserError(f"'{text}' has a category without an id; export it again.")
            names[one["id"]] = str(one.get("name", one["id"]))
    return names


def _read_regions(
    content: Any, numbers: Mapping[str, int], where: str
) -> tuple[dict[Any, list[Shape]], int]:
    """Image id -> its regions, the largest first so that small ones lie on top; and how many
    annotations have none.
    """
    named = {one["id"]: str(one.get("name", one["id"])) for one in content["categories"]}
    found: dict[Any, list[tuple[float, Shape]]] = {}
    without = 0
    for place, one in enumerate(content["annotations"]):
        if not isinstance(one, dict) or one.get("category_id") not in named:
            raise UserError(f"{where}: annotation {place} names no category; export it again.")
        segmentation = one.get("segmentation")
        if not segmentation:
            without += 1
            continue
        label = numbers[named[one["category_id"]]]
        shape = _read_shape(segmentation, label, f"{where}: annotation {place}")
        area = one.get("area")
        size = float(area) if isinstance(area, int | float) else 0.0
        found.setdefault(one.get("image_id"), []).append((size, shape))
    return {
        image: [shape for _, shape in sorted(regions, key=lambda region: -region[0])]
        for image, regions in found.items()
    }, without


def _read_shape(segmentation: Any, label: int, where: str) -> Shape:
    if isinstance(segmentation, list):
        parts: Sequence[Any] = segmentation
        if parts and isinstance(parts[0], int | float):
            parts = [parts]
        return Shape(label, tuple(make_polygon(part, where) for part in parts))
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    try:
        if isinstance(counts, str):
            return Shape(label, counts=decode_counts(counts))
        if isinstance(counts, list) and all(type(number) is int for number in counts):
            return Shape(label, counts=tuple(counts))
    except ValueError as error:
        raise UserError(f"{where}: its run lengths cannot be read; export it again.") from error
    raise UserError(f"{where}: a segmentation must be polygons or run lengths; export it again.")


def _read_image(image: Any, where: str) -> tuple[Any, str]:
    name = image.get("file_name") if isinstance(image, dict) else None
    if not isinstance(name, str) or not name:
        raise UserError(f"{where} has an image without file_name; export it again.")
    return image.get("id"), name
