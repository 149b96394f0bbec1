"""An understood folder as a description, in files of its own or as one text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hierseg.data.pairs import Source, find_pairs
from hierseg.data.recognition.folder import OwnData
from hierseg.data.recognition.listing import Entry
from hierseg.errors import UserError
from hierseg.files import write_text

DESCRIPTION, PAIRS = "data.yaml", "pairs.csv"


def write_own_data(data: OwnData, out: Path) -> Path:
    """Write ``data.yaml`` and ``pairs.csv`` into a folder; returns the description."""
    base = data.root.absolute()
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["image", "label", "split"])
    for entry in data.entries:
        assert entry.label is not None
        rows.writerow([_relate(entry.image, base), _relate(entry.label, base), entry.split])
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / PAIRS, table.getvalue())
    source = [
        f"root: {json.dumps(str(base))}",
        f"pairs: {json.dumps(str((out / PAIRS).resolve()))}",
    ]
    return write_text(out / DESCRIPTION, data.to_yaml(source))


def describe_by_globs(data: OwnData) -> str | None:
    """The description as one text with patterns; None where no patterns give just these pairs."""
    base = data.root
    every = _find_globs(base, data.entries)
    lines = [f"root: {json.dumps(str(base.absolute()))}"]
    if every is not None:
        names = _list_names(every, base)
        held = {
            split: sorted(names[entry.image] for entry in data.entries if entry.split == split)
            for split in data.splits
            if split != "train"
        }
        lines += [f"images: {json.dumps(every.images)}", f"labels: {json.dumps(every.labels)}"]
        lines += ["split:", *(f"  {split}: {json.dumps(own)}" for split, own in held.items())]
        return data.to_yaml(lines)
    lines.append("splits:")
    for split in data.splits:
        own = _find_globs(base, [entry for entry in data.entries if entry.split == split])
        if own is None:
            return None
        lines.append(
            f"  {split}: {{images: {json.dumps(own.images)}, labels: {json.dumps(own.labels)}}}"
        )
    return data.to_yaml(lines)


def _relate(path: Path, base: Path) -> str:
    """A path as the table has it: relative to the data's folder where it lies in that."""
    whole = path.absolute()
    return (whole.relative_to(base) if whole.is_relative_to(base) else whole).as_posix()


def _find_globs(root: Path, entries: Sequence[Entry]) -> Source | None:
    """Patterns whose pairs are just these; None where there are none."""
    if not entries or any(e.label is None or not e.label.is_relative_to(root) for e in entries):
        return None
    first = entries[0]
    assert first.label is not None
    stem = first.image.stem
    before, found, after = first.label.name.partition(stem)
    if not found:
        return None
    images = PurePosixPath(
        first.image.relative_to(root).parent.as_posix(), f"*{first.image.suffix}"
    )
    labels = PurePosixPath(first.label.relative_to(root).parent.as_posix(), f"{before}*{after}")
    source = Source(str(images), str(labels))
    try:
        pairs = find_pairs(source, root, root)
    except UserError:
        return None
    wanted = {(entry.image, entry.label) for entry in entries}
    return source if {(pair.image, pair.label) for pair in pairs} == wanted else None


def _list_names(source: Source, root: Path) -> dict[Path, str]:
    """Image -> the name that the description gives it, as a pattern of itself."""
    return {
        pair.image: "".join(f"[{c}]" if c in "*?[" else c for c in pair.name)
        for pair in find_pairs(source, root, root)
    }
