"""Recognises a folder of images and masks: its layout, classes and splits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hierseg.data.checking.headers import read_image_header
from hierseg.data.label_numbers import Palette
from hierseg.data.reading import DataError
from hierseg.data.recognition.classes import FoundClass, find_classes, require_classes
from hierseg.data.recognition.finding import find_layout
from hierseg.data.recognition.layout import Layout
from hierseg.data.recognition.listing import Entry, list_folder
from hierseg.data.recognition.names import Names, guess_names, read_names
from hierseg.data.recognition.shapes import draw_label_map
from hierseg.data.recognition.splitting import split_entries
from hierseg.data.recognition.survey import Encoding, survey_labels
from hierseg.errors import UserError, make_printable
from hierseg.files import write_bytes
from hierseg.labels import Color
from hierseg.size import Size
from hierseg.wording import count

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class OwnData:
    """A recognised folder.

    Attributes:
        root: The folder.
        layout: Its layout in words.
        entries: Images with label maps, each in a split.
        classes: The classes, in the order of the network's outputs.
        encoding: Whether label maps hold ids or colours.
        ignored: Ids, or colours, that are ignored.
        palette: How label maps with a palette of greys are read.
        sizes: Size -> number of images.
        split_note: How the splits were made.
        names_from: Source of the names; empty if they are generated.
        notes: Sentences about images that are left out.
    """

    root: Path
    layout: str
    entries: tuple[Entry, ...]
    classes: tuple[FoundClass, ...]
    encoding: Encoding
    ignored: tuple[int, ...] | tuple[Color, ...]
    palette: Palette | None
    sizes: Counter[Size]
    split_note: str
    names_from: str
    notes: tuple[str, ...]

    @property
    def splits(self) -> dict[str, int]:
        """Images by split, train first."""
        counts = Counter(entry.split for entry in self.entries)
        return {name: counts[name] for name in ("train", "val", "test") if counts[name]}

    def describe(self) -> str:
        """The findings, as lines to read."""
        sizes = self.sizes.most_common(2)
        shown = ", ".join(str(size) for size, _ in sizes)
        more = f" and {len(self.sizes) - 2} more sizes" if len(self.sizes) > 2 else ""
        kinds = "ids" if self.encoding == "ids" else "colours"
        splits = ", ".join(f"{name} {number}" for name, number in self.splits.items())
        names = f"named by {self.names_from}" if self.names_from else "not named by any file"
        lines = [
            f"layout   {self.layout}",
            f"images   {len(self.entries)} with masks, {shown}{more}",
            f"split    {splits} ({self.split_note})",
            f"classes  {len(self.classes)}, read off the masks' {kinds}, {names}",
        ]
        width = max(len(one.name) for one in self.classes)
        for one in self.classes:
            red, green, blue = one.color
            value = f"id {one.value:<5} " if self.encoding == "ids" else ""
            lines.append(
                f"         {one.name:<{width}}  {value}({red:>3}, {green:>3}, {blue:>3})"
                f"{100 * one.share:>7.2f} % of pixels, in {count(one.images, 'image')}"
            )
        if self.ignored:
            lines.append(f"ignored  {', '.join(map(str, self.ignored))}")
        lines += [f"note     {note}" for note in self.notes]
        return "\n".join(map(make_printable, lines))

    def to_yaml(self, source: Sequence[str]) -> str:
        """A description of the data, as docs/datasets.md has it; ``source`` are its lines that say
        where the images are.
        """
        ignored = json.dumps([list(v) if isinstance(v, tuple) else v for v in self.ignored])
        lines = [f"name: {json.dumps(self.root.absolute().name)}", *source]
        lines += [f"encoding: {self.encoding}"]
        lines += [f"palette: {self.palette}"] if self.palette and self.encoding == "ids" else []
        lines += [f"ignore: {ignored}", "classes:"]
        for one in self.classes:
            value = f"id: {one.value}, " if self.encoding == "ids" else ""
            lines.append(
                f"  - {{name: {json.dumps(one.name)}, {value}color: {list(one.color)}}}"
                f"  # {100 * one.share:.2f} % of pixels"
            )
        return "\n".join(lines) + "\n"


def recognise_folder(
    root: Path,
    drawn: Path | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> OwnData:
    """Recognise a folder of images and masks.

    Args:
        root: The folder.
        drawn: Folder for the label maps that are drawn, if the masks are polygons.
        seed: Seed of the split, if the folder has no splits.
        on_progress: Called with (what is done, done, total).

    Raises:
        UserError: The folder cannot be used; the message says what to change.
    """
    say = on_progress or (lambda what, done, total: None)
    listing = list_folder(root)
    layout = find_layout(listing)
    names = read_names(listing)
    if layout.shapes:
        if drawn is None:
            raise UserError(
                f"'{root}' holds {layout.title}, which become label maps first; name a folder for "
                "them with --out."
            )
        entries = _draw(layout, drawn, say)
        names = Names(by_id=layout.names, source="the annotations")
    else:
        entries = list(layout.entries)
    survey = survey_labels(
        entries,
        "ids" if layout.shapes else ("colors" if names.by_color else None),
        lambda done, total: say("reading masks", done, total),
    )
    if not (names.by_id or names.by_color) and survey.encoding == "ids":
        names = guess_names(
            frozenset(survey.pixels), layout.title, survey.sizes.most_common(1)[0][0]
        )
    classes, ignored = find_classes(survey, names)
    require_classes(root, classes, survey)
    counted = {one.value for one in classes} if survey.encoding == "ids" else None
    present = {
        label: own if counted is None else own & counted for label, own in survey.present.items()
    }
    split, note = split_entries(entries, present, root, seed)
    return OwnData(
        root=root,
        layout=layout.title,
        entries=tuple(split),
        classes=classes,
        encoding=survey.encoding,
        ignored=ignored,
        palette=survey.palette,
        sizes=survey.sizes,
        split_note=note,
        names_from=names.source,
        notes=layout.notes,
    )


def _draw(layout: Layout, folder: Path, say: Progress) -> list[Entry]:
    """Draw the label maps of images that have none."""
    import cv2

    entries = []
    for done, entry in enumerate(layout.entries, start=1):
        size = read_image_header(entry.image).size
        try:
            labels = draw_label_map(layout.shapes[entry.image], size)
        except DataError as error:
            raise UserError(f"'{entry.image}' cannot be labelled: {error}") from error
        path = folder / f"{done:06d}_{entry.image.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _, content = cv2.imencode(".png", labels)
        write_bytes(path, content.tobytes())
        entries.append(Entry(entry.image, path, entry.split))
        say("drawing masks", done, len(layout.entries))
    return entries
