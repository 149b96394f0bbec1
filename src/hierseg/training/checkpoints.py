"""States on the disk that a run can be resumed from: written whole, and verified by a checksum."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch

from hierseg.checkpoint import no_memory, open_checkpoint, read_torch_file
from hierseg.errors import UserError
from hierseg.files import move_into_place
from hierseg.training.signals import RunEnded

FORMAT_VERSION = 1
DIGITS = 16
"""Hexadecimal digits of a file's SHA-256 that its name ends in."""
_NAME = re.compile(rf"step-(\d+)-epoch-(\d+)-([0-9a-f]{{{DIGITS}}})\.pt")


class StateName(NamedTuple):
    """A state's file; states sort by step and epoch.

    Attributes:
        step: Steps done in all.
        epoch: Epochs completed.
        path: The file.
        digest: The checksum in its name; None for a state of an older version.
    """

    step: int
    epoch: int
    path: Path
    digest: str | None


class Checkpoints:
    """The last states of a run, each a file named after its step, epoch and checksum.

    A file is written under another name, synchronised to the disk, and renamed. So the folder has
    only whole files, whenever the process or the machine stops. The checksum shows whether a file
    was damaged afterwards.

    Args:
        folder: The folder of states; created with the first one.
        keep: Number of states to keep.
        older: The single state of a run by an older version of hierseg.
        say: Called with a line about a damaged file.
    """

    def __init__(
        self, folder: Path, keep: int, older: Path | None = None, say: Callable[[str], None] = print
    ) -> None:
        self.folder = folder
        self.keep = keep
        self.older = older
        self._say = say

    def list(self) -> list[StateName]:
        """All states, the newest first."""
        found = [
            StateName(int(match[1]), int(match[2]), path, match[3])
            for path in self.folder.glob("step-*.pt")
            if (match := _NAME.fullmatch(path.name))
        ]
        if self.older is not None and self.older.is_file():
            found.append(StateName(-1, -1, self.older, None))
        return sorted(found, reverse=True)

    def write(self, content: Mapping[str, Any], step: int, epoch: int) -> Path:
        """Write a state, then remove those that are no longer kept.

        Raises:
            RunEnded: The state cannot be written; earlier ones stay.
        """
        try:
            self.folder.mkdir(exist_ok=True)
            temporary = self.folder / "unfinished.part"
            digest = _save(content, temporary)
            path = self.folder / f"step-{step:08}-epoch-{epoch:04}-{digest}.pt"
            move_into_place(temporary, path, durable=True)
            self._prune(path, step, epoch)
        except OSError as error:
            last = self.list()
            kept = f"the run can be resumed from {last[0].path.name}" if last else "none was before"
            raise RunEnded(
                f"a checkpoint cannot be written to {self.folder} ({error.strerror}; {kept}); free "
                "some space and continue with --runtime.resume."
            ) from error
        return path

    def read(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest undamaged state, with its file; None if there is no state at all.

        A line reports each damaged file; it is removed once the run has passed its step.

        Raises:
            UserError: There are states, and all are damaged or of another version.
        """
        found = self.list()
        for name in found:
            content = _load(name)
            if content is not None:
                return name.path, content
            self._say(f"{name.path} is damaged; the checkpoint before it is used.")
        if found:
            raise UserError(
                f"all checkpoints in {found[0].path.parent} are damaged, so the run cannot be "
                "resumed; start anew with another --runtime.out."
            )
        return None

    def _prune(self, newest: Path, step: int, epoch: int) -> None:
        """Remove states that are not kept, and later ones that the run has gone back before."""
        others = [name for name in self.list() if name.path != newest]
        again = [name for name in others if (name.step, name.epoch) >= (step, epoch)]
        kept = [name for name in others if name not in again]
        for name in (*again, *kept[self.keep - 1 :]):
            name.path.unlink()


class _HashedFile:
    """A file that torch writes to; it keeps the error that torch replaces by one of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.error: OSError | RuntimeError | None = None

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        rest = memoryview(data)
        try:
            # The system may take a part alone, as of more than 2 GB, or where the disk is about to
            # be full, and torch does not look at how much was taken.
            while rest:
                rest = rest[self._file.write(rest) :]
        except (OSError, RuntimeError) as error:  # torch's handler raises here for a dead loader
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        self._file.flush()


def _save(content: Mapping[str, Any], path: Path) -> str:
    """Write; returns the digits of the checksum."""
    with path.open("wb", buffering=0) as file:
        hashed = _HashedFile(file)
        try:
            torch.save({"format_version": FORMAT_VERSION, **content}, hashed)  # type: ignore[arg-type]
        except (OSError, RuntimeError):
            if hashed.error is None:
                raise
            raise hashed.error from None
    return hashed.hash.hexdigest()[:DIGITS]


def _load(name: StateName) -> dict[str, Any] | None:
    """A file's content; None if it is damaged or unreadable, UserError if of another version."""
    try:
        if name.digest is not None:
            with open_checkpoint(name.path) as (file, _):
                if hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS] != name.digest:
                    return None
        # Only the form that states are written in.
        if not zipfile.is_zipfile(name.path):
            return None
        content = read_torch_file(name.path)
    except MemoryError as error:
        raise no_memory(name.path) from error
    except Exception:  # A damaged file raises whatever its bytes come upon.
        return None
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{name.path} is not a training state of this version of hierseg; "
            "start anew with another --runtime.out."
        )
    return content
