"""Places that a command writes to, looked at before the work is done."""

from __future__ import annotations

import os
from pathlib import Path

from hierseg.errors import UserError


def check_place(flag: str, path: Path) -> None:
    """UserError unless a file can be written there."""
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} for {flag}; make it or name another.")
    if path.is_dir():
        raise UserError(f"{flag} {path} is a folder; name a file.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(
            f"{flag} {path} cannot be written: you may not write into {path.parent}; name another "
            "place."
        )
