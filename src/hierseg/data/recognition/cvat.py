"""CVAT's own XML, "CVAT for images 1.1": masks and polygons by their order in depth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from hierseg.data.recognition.coco import LARGEST
from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.listing import Entry, ImagePlaces, Listing, find_split
from hierseg.data.recognition.shapes import Shape, make_box_runs, make_polygon
from hierseg.errors import UserError, make_printable
from hierseg.files import read_text_file
from hierseg.labels import IGNORE
from hierseg.size import Size
from hierseg.wording import count

BACKGROUND = "background"
MOST_PARTS = 2_000_000
"""Images and regions of a file."""
_HEAD = 1 << 12
_OTHERS = ("box", "polyline", "points", "ellipse", "cuboid", "skeleton")
"""What is drawn in CVAT besides, and is no region here."""


class _Region(NamedTuple):
    """What it lies upon, its class, and its shape, which has no number yet."""

    z_order: int
    name: str
    shape: Shape


@dataclass
class _Image:
    name: str
    subset: str
    size: Size
    regions: list[_Region] = field(default_factory=list)


def find_cvat(listing: Listing) -> Layout | None:
    """A folder with CVAT's XML, one file or several; None where there is none.

    What no region covers is background, and so is an image without any.
    """
    files = [text for text in listing.texts if _may_be(listing.root / text)]
    if not files:
        return None
    places = ImagePlaces(listing)
    found: dict[Path, _Image] = {}
    entries: list[Entry] = []
    missing: list[str] = []
    others: Counter[str] = Counter()
    for text in files:
        reader = _read(listing.root / text)
        others += reader.others
        for image in reader.images:
            # The images of a subset lie in a folder of its name.
            path = places.find(f"{image.subset}/{image.name}", text.parent)
            path = path or places.find(image.name, text.parent)
            if path is None:
                missing.append(image.name)
            elif path not in found:
                found[path] = image
                split = find_split([*text.parts[:-1], text.stem, image.subset])
                entries.append(Entry(path, None, split))
    _require_regions(listing.root, found.values(), missing)
    numbers = _number_classes(listing.root, found.values())
    shapes = {path: _make_shapes(image, numbers) for path, image in found.items()}
    names = {0: BACKGROUND, **{number: name for name, number in numbers.items()}}
    notes = _describe_left(found.values(), missing, others)
    return Layout("CVAT's XML", tuple(entries), tuple(notes), shapes, names)


def _may_be(path: Path) -> bool:
    """Whether an XML file begins as CVAT's does; Pascal VOC's has another root."""
    if path.suffix.lower() != ".xml":
        return False
    with path.open("rb") as file:
        return re.search(rb"<annotations[\s>]", file.read(_HEAD)) is not None


def _read(path: Path) -> _Reader:
    """What an XML file holds; UserError where it cannot be read, or is no such file."""
    text = read_text_file(path, "CVAT file", LARGEST)
    parser = expat.ParserCreate()
    reader = _Reader(path, parser)
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    # Entities can stand for gigabytes, or for other files.
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise UserError(
            f"'{path}' is no XML that can be read (line {error.lineno}); export it again."
        ) from error
    return reader


class _Reader:
    """What expat calls, tag by tag.

    Attributes:
        images: Images with their regions.
        others: Kind -> how many shapes of it, which are no regions.
    """

    def __init__(self, path: Path, parser: expat.XMLParserType) -> None:
        self.images: list[_Image] = []
        self.others: Counter[str] = Counter()
        self._path, self._parser = path, parser
        self._open: list[str] = []
        self._parts = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """A tag opens."""
        self._open.append(name)
        match self._open[1:]:
            case ["track"]:
                raise UserError(
                    f"'{self._path}' holds tracks of a video; export the task as 'CVAT for images "
                    "1.1', with its images."
                )
            case ["image"]:
                self._count_part()
                self.images.append(self._read_image(attributes))
            case ["image", "mask" | "polygon"]:
                self._count_part()
                self.images[-1].regions.append(self._read_region(name, attributes))
            case ["image", _] if name in _OTHERS:
                self.others[name] += 1

    def end(self, name: str) -> None:
        """A tag closes."""
        self._open.pop()

    def refuse(self, *_: object) -> None:
        """An entity, or a document type, is declared."""
        raise UserError(
            f"'{self._path}' declares a document type or entities, which CVAT never does; export "
            "it again."
        )

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise UserError(
                f"'{self._path}' has more than {MOST_PARTS:,} images and regions; export it in "
                "parts."
            )

    def _read_image(self, attributes: Mapping[str, str]) -> _Image:
        where = self._say_where("image")
        width, height = _read_numbers(attributes, ("width", "height"), where)
        name = attributes.get("name", "")
        if not name or width < 1 or height < 1:
            raise UserError(f"{where} has no name or no pixels; export it again.")
        return _Image(name, attributes.get("subset", ""), Size(height, width))

    def _read_region(self, kind: str, attributes: Mapping[str, str]) -> _Region:
        where, size = self._say_where(kind), self.images[-1].size
        name = attributes.get("label", "").strip()
        if not name:
            raise UserError(f"{where} has no label; export it again.")
        (z_order,) = _read_numbers({"z_order": "0", **attributes}, ("z_order",), where)
        if kind == "polygon":
            numbers = attributes.get("points", "").replace(";", ",").split(",")
            return _Region(z_order, name, Shape(0, (make_polygon(numbers, where),), size=size))
        box = _read_numbers(attributes, ("left", "top", "width", "height"), where)
        left, top, width, height = box
        inside = left + width <= size.width and top + height <= size.height
        if min(left, top) < 0 or min(width, height) < 1 or not inside:
            raise UserError(f"{where} lies outside of its image; export it again.")
        runs = make_box_runs(attributes.get("rle", "").split(","), width, height, where)
        shape = Shape(0, counts=runs, box=(left, top, width, height), size=size)
        return _Region(z_order, name, shape)

    def _say_where(self, what: str) -> str:
        return f"'{self._path}' line {self._parser.CurrentLineNumber}: the {what}"


def _read_numbers(attributes: Mapping[str, str], names: Sequence[str], where: str) -> list[int]:
    try:
        return [int(attributes[name]) for name in names]
    except (KeyError, ValueError) as error:
        needed = " and ".join(names)
        raise UserError(f"{where} needs {needed} as whole numbers; export it again.") from error


def _require_regions(root: Path, found: Collection[_Image], missing: Sequence[str]) -> None:
    if not found and missing:
        raise UserError(
            f"CVAT's XML in '{root}' names {count(len(missing), 'image')}, none of which is there "
            f"(the first is '{make_printable(missing[0])}'); put the images beside it."
        )
    if not any(image.regions for image in found):
        raise UserError(
            f"CVAT's XML in '{root}' has no masks or polygons of images that are there; draw some, "
            "and export it again."
        )


def _number_classes(root: Path, images: Collection[_Image]) -> dict[str, int]:
    """Name -> its number in the maps that are drawn; a label that is called background is that."""
    names = {region.name for image in images for region in image.regions}
    numbers = {name: n for n, name in enumerate(sorted(names - {BACKGROUND}), start=1)}
    if len(numbers) >= IGNORE:
        raise UserError(f"'{root}' has {len(numbers)} labels; at most 254 can be.")
    return numbers


def _make_shapes(image: _Image, numbers: Mapping[str, int]) -> list[Shape]:
    """The lowest first; of those that are level, the one that is listed first."""
    ordered = sorted(image.regions, key=lambda region: region.z_order)
    return [replace(one.shape, label=numbers.get(one.name, 0)) for one in ordered]


def _describe_left(
    found: Collection[_Image], missing: Sequence[str], others: Mapping[str, int]
) -> list[str]:
    """Sentences about what is left out or taken for granted."""
    notes = []
    if missing:
        notes.append(f"{count(len(missing), 'image')} named in CVAT's XML and not there.")
    if empty := sum(not image.regions for image in found):
        notes.append(f"{count(empty, 'image')} without a mask or polygon taken as background.")
    if others:
        shapes, kinds = count(sum(others.values()), "shape"), ", ".join(sorted(others))
        notes.append(f"{shapes} that are neither masks nor polygons left out: {kinds}.")
    return notes
