"""Checks of what a command reads and where it writes, before torch is imported, so that a mistyped
path fails soon.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierseg.errors import UsageError, UserError
from hierseg.files import FolderLock
from hierseg.ownership import require_own_json, require_own_png, with_header
from hierseg.processes import Launch

if TYPE_CHECKING:
    from hierseg.config import Experiment


def check_inputs(
    data: str | None, root: Path | None, split: str, *weights: str | Path | None
) -> None:
    """Refuse a data set or weights that are not there, as opening them would.

    Args:
        data: The data set, or a file that describes one; None where none is read.
        root: Its folder.
        split: The split that is read.
        weights: What weights are named, as ``find_weights`` takes them.

    Raises:
        UsageError: There are no such weights, or no data set of that name.
        UserError: The folder does not hold the data set.
    """
    from hierseg.checkpoint import find_weights
    from hierseg.data import (
        available_datasets,
        is_description,
        is_folder,
        is_synthetic,
        open_dataset,
    )

    for source in weights:
        if source is not None:
            find_weights(source)
    if data is None:
        return
    if is_synthetic(data):
        open_dataset(data, root, split)  # there is nothing to look for
        return
    known = Path(data).is_file() if is_description(data) else data in available_datasets()
    placed = is_description(data) if root is None else is_folder(root)
    if not (known and placed):
        open_dataset(data, root, split, keep_unpaired=True)  # which says what is missing


def check_training(experiment: Experiment) -> None:
    """``check_inputs`` of what a recipe with its changed fields reads."""
    from hierseg.recipes import settle_experiment

    data, model = settle_experiment(experiment).data, experiment.model
    teacher = experiment.distill.teacher
    check_inputs(data.name, data.root, data.train_split, model.weights, model.init_trunk, teacher)


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


def check_result(flag: str, path: Path | None, command: str, overwrite: bool) -> None:
    """UserError unless a command's result can be written there, as JSON, and replaces no other;
    None where it is written nowhere.
    """
    if path is not None:
        check_place(flag, path)
        require_own_json(flag, path, command, overwrite)


def check_picture(flag: str, path: Path | None, command: str, overwrite: bool) -> None:
    """Raise an error unless a command's picture can be written there, as PNG, and replaces no
    other file; None if no picture is written.

    Raises:
        UsageError: It is not named ``*.png``, or a file there is not this command's.
        UserError: No file can be written there.
    """
    if path is None:
        return
    if path.suffix != ".png":
        raise UsageError(f"{flag} {path} is not named *.png; name it so.")
    check_place(flag, path)
    require_own_png(flag, path, command, overwrite)


def write_result(path: Path, content: Mapping[str, Any], command: str) -> None:
    """Write a command's result as JSON; a file appears whole, or stays as it was."""
    from hierseg.files import write_bytes

    text = json.dumps(with_header(content, command), indent=2) + "\n"
    if path.exists() and not path.is_file():  # a device, such as /dev/stdout
        path.write_text(text, encoding="utf-8")
    else:
        write_bytes(path.resolve(), text.encode())


@contextmanager
def hold_folders(*folders: tuple[str, Path]) -> Iterator[None]:
    """Hold folders, given with the flags that name them, so that no other run writes there; of the
    processes of one run the first holds them for all.
    """
    with ExitStack() as stack:
        held = set[Path]()
        for flag, folder in folders if Launch.find().rank == 0 else ():
            if folder.resolve() not in held:
                stack.enter_context(FolderLock(folder, flag))
                held.add(folder.resolve())
        yield
