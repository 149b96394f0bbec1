"""Mapillary's ``config.json``: names and colours of the labels, and which are evaluated."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from hierseg.data.archive import read_text
from hierseg.errors import MALFORMED, UserError
from hierseg.labels import IGNORE, LabelSpace


def read_config(path: Path, name: str) -> LabelSpace:
    """The label space of a ``config.json``: a label's id is its place in the list.

    Labels that are not evaluated are ignored; the last of them, "Unlabeled", stands for ignored
    pixels where labels are written back.

    Args:
        path: The file, which may lie in a zip archive.
        name: What the space is called.

    Raises:
        UserError: The file is missing, or is not such a configuration.
    """
    try:
        text = read_text(path, "configuration of the data set")
    except UserError as error:
        raise UserError(
            f"{str(error).rstrip('.')}; it comes with the download and says what the labels are."
        ) from error
    try:
        labels = json.loads(text)["labels"]
        readable = Counter(str(label["readable"]) for label in labels)
        # Where two labels read alike, their full names tell them apart.
        names = [
            str(label["readable"] if readable[str(label["readable"])] == 1 else label["name"])
            for label in labels
        ]
        evaluated = [raw for raw, label in enumerate(labels) if label["evaluate"] is True]
        colors = [(int(r), int(g), int(b)) for r, g, b in (label["color"] for label in labels)]
    except MALFORMED as error:
        raise UserError(
            f"'{path}' is not Mapillary's, in which each label has color, readable, name and "
            "evaluate; take the file of the download."
        ) from error
    ignored = sorted(set(range(len(labels))) - set(evaluated))
    if len(evaluated) > IGNORE:
        raise UserError(
            f"'{path}' evaluates {len(evaluated)} labels; at most {IGNORE} are allowed."
        )
    try:
        return LabelSpace(
            name=name,
            names=tuple(names[raw] for raw in evaluated),
            colors=tuple(colors[raw] for raw in evaluated),
            raw_ids=tuple(evaluated),
            ignored_raw_ids=tuple(ignored),
            void_raw_id=ignored[-1] if ignored else IGNORE,
        )
    except UserError as error:
        raise UserError(f"'{path}' cannot be used: {error}") from error
