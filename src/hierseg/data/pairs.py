"""Images and their label maps, by globs or from a csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hierseg.data.archive import find_files, is_file, read_text
from hierseg.data.globs import compile_glob
from hierseg.data.unpacking import LONGEST_NAME
from hierseg.errors import UserError, quote_name, shorten

STARS = re.compile(r"\*\*/|\*")
LARGEST_TABLE = 64 << 20
"""Bytes of a csv of pairs: some 400,000 of them."""
LONGEST_PATH = 200
"""Characters of a path in a csv that a sentence shows."""


class Source(NamedTuple):
    """Where pairs come from: globs, or a csv. Paths are relative to the data set's root."""

    images: str | None = None
    labels: str | None = None
    pairs: str | None = None


NO_SOURCE = Source()


class Pair(NamedTuple):
    """An image, its label map where it has one, and the split that a csv names for it."""

    name: str
    image: Path
    label: Path | None
    split: str = ""


def find_pairs(source: Source, root: Path, file: Path) -> list[Pair]:
    """The pairs of a source, in order of their names or of the csv.

    Args:
        source: Globs, where each star of ``labels`` stands for what the same star of ``images``
            matched; or a csv with a header and the columns image, label and split, the last two
            optional.
        root: What paths are relative to.
        file: The description, for errors.

    Raises:
        UserError: The patterns do not fit each other, or a line of the csv is wrong.
    """
    if source.pairs is not None:
        return list(_read_csv(root / source.pairs, root))
    images, labels = source.images or "", source.labels
    for pattern in filter(None, (images, labels)):
        where = f"the pattern '{shorten(pattern)}'"
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            raise UserError(
                f"'{file}': {where} leads out of the data's folder; set root to a folder further "
                "up."
            )
        if any("**" in part and part != "**" for part in PurePosixPath(pattern).parts):
            raise UserError(
                f"'{file}': in {where}, ** must stand alone between slashes, as in photos/**/*.jpg."
            )
    stars = len(STARS.findall(images))
    if labels is not None and len(STARS.findall(labels)) != stars:
        raise UserError(
            f"'{file}': images '{shorten(images)}' and labels '{shorten(labels)}' need the "
            "same number of stars: each star of labels stands for what the same star of images "
            "matched."
        )
    try:
        match = compile_glob(images)
    except re.error as error:
        raise UserError(
            f"'{file}': the pattern '{shorten(images)}' cannot be read ({error})."
        ) from error
    pairs = []
    for path in find_files(root, images):
        matched = match(path.relative_to(root).as_posix())
        parts = list(matched or ())
        label = None if labels is None else root / _fill(labels, parts)
        pairs.append(Pair(_name(path, root, parts), path, label))
    return _require_one_name(pairs, file)


def _fill(pattern: str, parts: list[str]) -> str:
    filling = iter(parts)
    return STARS.sub(lambda _: next(filling, ""), pattern)


def _name(path: Path, root: Path, parts: list[str]) -> str:
    """The name of an image: what the stars matched, which differs between images of a pattern."""
    name = "/".join(part.strip("/") for part in parts if part.strip("/"))
    return name or path.relative_to(root).with_suffix("").as_posix()


def _require_one_name(pairs: list[Pair], file: Path) -> list[Pair]:
    seen: dict[str, Path] = {}
    for pair in pairs:
        if pair.name in seen:
            raise UserError(
                f"'{file}': '{seen[pair.name]}' and '{pair.image}' have the same name, "
                f"{pair.name}; rename one of them."
            )
        seen[pair.name] = pair.image
    return pairs


def _read_csv(path: Path, root: Path) -> Iterator[Pair]:
    rows = csv.reader(io.StringIO(_read_table(path), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(rows, [])]
        # What stands there is not shown: it may be any file, with secrets in it.
        if "image" not in header or not set(header) <= {"image", "label", "split"}:
            raise UserError(
                f"'{path}' line 1 does not name the columns; a csv of pairs begins with "
                "image,label or image,label,split."
            )
        if len(set(header)) < len(header):
            raise UserError(f"'{path}' line 1 names a column twice; keep one of each name.")
        seen: set[str] = set()
        for row in rows:
            if row:
                yield _pair(path, root, header, [cell.strip() for cell in row], rows.line_num, seen)
    except csv.Error as error:
        raise UserError(f"'{path}' line {rows.line_num} cannot be read ({error}).") from error


def _read_table(path: Path) -> str:
    if "\0" in str(path) or len(str(path)) > LONGEST_NAME:
        shown = shorten(path, LONGEST_PATH)
        raise UserError(f"pairs '{shown}' is not the name of a file; check the key pairs.")
    return read_text(path, "csv", LARGEST_TABLE)


def _pair(
    path: Path, root: Path, header: list[str], row: list[str], line: int, seen: set[str]
) -> Pair:
    if len(row) != len(header) or not all(row):
        raise UserError(
            f"'{path}' line {line} has {len([cell for cell in row if cell])} entries; each line "
            f"has {len(header)}: {','.join(header)}."
        )
    cells = dict(zip(header, row, strict=True))
    shown = quote_name(cells["image"], LONGEST_PATH)
    try:
        name = PurePosixPath(cells["image"]).with_suffix("").as_posix()
        is_there = is_file(root / cells["image"])
        label = root / cells["label"] if "label" in cells else None
    except (ValueError, OSError) as error:  # a NUL, or longer than a path may be
        raise UserError(
            f"'{path}' line {line} names {shown}, which cannot be a file; correct it."
        ) from error
    if name in seen:
        raise UserError(f"'{path}' line {line} names {shown} a second time; remove it.")
    seen.add(name)
    if not is_there:
        raise UserError(
            f"'{path}' line {line} names {shown}, which is not in '{root}'; correct the path, or "
            "the description's root."
        )
    return Pair(name, root / cells["image"], label, cells.get("split", ""))
