"""Checks label maps before a benchmark's script or server gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import Palette, is_plain_label_map, read_bytes, read_label_ids
from hierseg.errors import UserError
from hierseg.labels import LabelSpace
from hierseg.size import Size

CITYSCAPES_IDS = frozenset(range(34))
"""Label ids that Cityscapes' script knows; the licence plate, -1, cannot be stored in a file."""


class LabelFile(NamedTuple):
    """An image's label map.

    Attributes:
        name: The image's name.
        path: The label map.
        size: The size that it must have.
    """

    name: str
    path: Path
    size: Size


def known_ids(space: LabelSpace) -> frozenset[int]:
    """The raw ids that label maps of a data set may hold."""
    if space.name == "cityscapes":
        return CITYSCAPES_IDS
    return space.known_raw_ids


def read_prediction(
    path: Path, space: LabelSpace, palette: Palette | None = None, raw: bool = True
) -> npt.NDArray[Any]:
    """(H, W) ids of a label map of any origin.

    Args:
        path: The label map.
        space: Label space of the data set.
        palette: How to read a palette of greys; None decides by the ids that occur.
        raw: Whether it holds raw ids, not train ids.

    Raises:
        DataError: It cannot be read, or its palette can be read in two ways.
    """
    own, train = known_ids(space), frozenset({*range(space.num_classes), space.ignore})
    return read_label_ids(path, own if raw else train, palette, train if raw else own)


def write_plain(path: Path, out: Path, space: LabelSpace, palette: Palette | None = None) -> None:
    """Copy a label map to a plain PNG: one channel, 8 bits, no palette.

    Raises:
        UserError: It cannot be read, or its palette can be read in two ways.
    """
    content = read_bytes(path)
    if not is_plain_label_map(content):
        ids = read_prediction(path, space, palette)
        content = cv2.imencode(".png", ids)[1].tobytes()
    out.write_bytes(content)


def check_label_files(
    files: Sequence[LabelFile],
    space: LabelSpace,
    on_progress: Callable[[int, int], None] | None = None,
    palette: Palette | None = None,
) -> None:
    """Check label maps: one channel of 8 bits, the image's size, and the data set's own ids.

    Args:
        files: The label maps.
        space: Label space whose raw ids they must hold.
        on_progress: Called with (files done, files in all).
        palette: How to read a palette of greys; None decides by the ids that occur.

    Raises:
        UserError: A label map is not so, or all of them hold train ids.
    """
    known = known_ids(space)
    seen: set[int] = set()
    strange: tuple[Path, int] | None = None
    for done, file in enumerate(files, 1):
        values = read_prediction(file.path, space, palette)
        size = Size(*values.shape)
        if size != file.size:
            raise UserError(
                f"'{file.path}' is {size} but '{file.name}' is {file.size}; give label maps of "
                "their image's size."
            )
        if values.dtype != np.uint8:
            raise UserError(
                f"'{file.path}' has {8 * values.dtype.itemsize} bits; write label maps of 8 bits."
            )
        ids = set(np.unique(values).tolist())
        seen |= ids
        if strange is None and not ids <= known:
            strange = file.path, min(ids - known)
        if on_progress is not None:
            on_progress(done, len(files))
    if looks_like_train_ids(seen, space):
        raise UserError(
            f"the label maps in '{files[0].path.parent}' hold train ids (0 to "
            f"{space.num_classes - 1}) and not the ids of {space.name}; `hierseg predict` writes "
            "both, the latter as NAME_ids.png."
        )
    if strange is not None:
        raise UserError(
            f"'{strange[0]}' holds id {strange[1]}, which {space.name} does not have; write one of "
            f"0 to {max(known)}."
        )


def looks_like_train_ids(seen: set[int], space: LabelSpace) -> bool:
    """Whether all ids are train ids or ignore, and one is neither an evaluated class's raw id nor
    void.

    A network that writes the data set's own ids never gives such ids.
    """
    if not space.raw_ids_differ:
        return False
    train = {*range(space.num_classes), space.ignore}
    evaluated = {*space.raw_ids, *space.merged_raw_ids, space.void_raw_id}
    return bool(seen) and seen <= train and not seen <= evaluated
