"""Writes propagated frames as a data set in Cityscapes' layout, or as one with a description.

The folder ``autolabelled`` holds all labels before the check, and their confidence, in the format
of `hierseg autolabel`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hierseg.data import PropagatedFrame, PropagatedRecord
from hierseg.files import write_text
from hierseg.labels import LabelSpace
from hierseg.media import write_picture
from hierseg.propagation.chains import Made

DESCRIPTION, PAIRS = "propagated.json", "pairs.csv"
CITYSCAPES_NAME = "cityscapes"


def place_files(data: str, split: str, name: str) -> tuple[str, str, str, str, tuple[str, ...]]:
    """Paths in the data set's folder: image, label map, confidence, auto-label, further files."""
    if data == CITYSCAPES_NAME:
        stem = f"{split}/{name}"
        auto = f"autolabelled/{stem}_leftImg8bit"
        return (
            f"leftImg8bit/{stem}_leftImg8bit.png",
            f"gtFine/{stem}_gtFine_labelIds.png",
            f"{auto}_prob.png",
            f"{auto}.png",
            (f"gtFine/{stem}_gtFine_color.png",),
        )
    auto = f"autolabelled/{split}/{name}"
    return f"images/{name}.png", f"labels/{name}.png", f"{auto}_prob.png", f"{auto}.png", ()


def write_made(
    made: Made, out: Path, data: str, split: str, name: str, space: LabelSpace, work: Path
) -> PropagatedFrame:
    """Write all files of a frame, the image last.

    Args:
        made: The frame.
        out: Folder of the data set.
        data: Name of the data set; ``cityscapes`` has its own layout.
        split: Split of the frame.
        name: Name of the frame.
        space: Label space of the ids.
        work: Folder of unfinished files.
    """
    image, label, confidence, auto, colored = place_files(data, split, name)
    train = space.encode(made.labels)
    certain = np.where(space.encode(made.all_labels) == space.ignore, 0, made.confidence)
    pictures = [
        (auto, made.all_labels),
        (confidence, np.rint(255 * certain).astype(np.uint8)),
        *((file, space.color_table()[train]) for file in colored),
        (label, made.labels),
        (image, made.image),
    ]
    for file, picture in pictures:
        path = out / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, picture, work)
    return PropagatedFrame(
        name=name,
        step=made.step,
        image=image,
        label=label,
        confidence=confidence,
        files=(auto, *colored),
        kept=round(float((train != space.ignore).mean()), 5),
    )


def write_description(
    out: Path, data: str, space: LabelSpace, records: Iterable[PropagatedRecord]
) -> Path | None:
    """Write the description of the data set and the table of its pairs; returns the description's
    path, or None for Cityscapes, which needs none.
    """
    if data == CITYSCAPES_NAME:
        return None
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(("image", "label", "split"))
    for record in records:
        table.writerows((f.image, f.label, record.split) for f in record.frames)
    write_text(out / PAIRS, rows.getvalue())
    description = {
        "name": data,
        "classes": [
            {"name": name, "id": raw, "color": list(color)}
            for name, raw, color in zip(space.names, space.raw_ids, space.colors, strict=True)
        ],
        "ignore": [space.void_raw_id],
        "pairs": PAIRS,
    }
    return write_text(out / DESCRIPTION, json.dumps(description, indent=1) + "\n")
