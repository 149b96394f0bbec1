"""``finetune.json``: the settings, the plan and the result of a fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hierseg.errors import MALFORMED, UsageError, UserError
from hierseg.files import LOCK, read_text_file, write_text
from hierseg.finetuning.choices import Choices
from hierseg.finetuning.plan import Plan
from hierseg.ownership import with_header

FILE, DATA, TRAINING = "finetune.json", "data", "training"


@dataclass(frozen=True)
class Record:
    """A fine-tuning on the disk.

    Attributes:
        folder: The data's folder, absolute.
        choices: The user's settings.
        model: Name of the network.
        plan: The plan of the training.
        understood: A description of the data, in lines.
        shares: Class -> share of the pixels that count, in [0, 1].
        splits: Split -> number of images.
        result: The result; empty until the run is done.
    """

    folder: str
    choices: Mapping[str, Any]
    model: str
    plan: Plan
    understood: str
    shares: dict[str, float]
    splits: dict[str, int]
    result: dict[str, Any] = field(default_factory=dict)

    def write(self, out: Path) -> None:
        """Write the record into the run folder."""
        content = with_header({**vars(self), "plan": self.plan.to_dict()}, "finetune")
        write_text(out / FILE, json.dumps(content, indent=2) + "\n")


def read_record(out: Path) -> Record | None:
    """The record of a folder; None if it has none, UserError if it is damaged."""
    path = out / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(read_text_file(path, "record of the run"))
        known = {key: content[key] for key in Record.__dataclass_fields__}
        record = Record(**{**known, "plan": Plan.from_dict(known["plan"])})
        if not isinstance(record.result, dict) or not isinstance(record.choices, dict):
            raise TypeError("no objects")
    except (*MALFORMED, LookupError, TypeError, UserError) as error:
        raise UserError(f"'{path}' is damaged; name another folder with --out.") from error
    return record


def require_same(record: Record, folder: Path, choices: Choices, out: Path) -> None:
    """UsageError if a folder holds a run on other data or with other settings."""
    if record.folder != str(folder.absolute()):
        raise UsageError(f"{out} holds a run on '{record.folder}'; name another folder with --out.")
    asked = choices.to_dict()
    differing = [key for key, value in asked.items() if record.choices.get(key) != value]
    if differing:
        shown = ", ".join(
            f"--{key} was {record.choices.get(key) or 'not given'}, is now "
            f"{asked[key] or 'not given'}"
            for key in differing
        )
        raise UsageError(
            f"the run in {out} began otherwise ({shown}); give the same, or another --out."
        )


def require_free(out: Path) -> None:
    """UsageError if a folder holds files that are not a fine-tuning's."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder.")
    others = sorted(path.name for path in out.iterdir() if path.name not in (LOCK, DATA))
    if others:
        raise UsageError(
            f"--out {out} holds other files ('{others[0]}'); name a new or empty folder."
        )
