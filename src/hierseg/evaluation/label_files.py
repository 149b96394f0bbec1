"""Label maps that leave the house: what a benchmark's script or server would not take is refused
before either sees it.
"""

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
"""Label ids that Cityscapes' script knows; the licence plate, -1, is none that a file can hold."""


class LabelFile(NamedTuple):
    """A label map of an image.

    Attributes:
        name: The image's name.
        path: The label map.
        size: What its size must be.
    """

    name: str
    path: Path
    size: Size


def known_ids(space: LabelSpace) -> frozenset[int]:
    """Raw ids that label maps of a data set may hold."""
    if space.name == "cityscapes":
        return CITYSCAPES_IDS
    return space.known_raw_ids


def read_prediction(
    path: Path, space: LabelSpace, palette: Palette | None = None, raw: bool = True
) -> npt.NDArray[Any]:
    """(H, W) ids of a label map that anyone made.

    Args:
        path: The label map.
        space: Of the data set.
        palette: What it holds if it has a palette of greys; None leaves it to which ids there are.
        raw: Whether it is to hold raw ids, or else train ids.

    Raises:
        DataError: It cannot be read, or in two ways.
    """
    own, train = known_ids(space), frozenset({*range(space.num_classes), space.ignore})
    return read_label_ids(path, own if raw else train, palette, train if raw else own)


def write_plain(path: Path, out: Path, space: LabelSpace, palette: Palette | None = None) -> None:
    """Copy a label map as every reader of PNG takes it: of one channel, of 8 bits, no palette.

    Raises:
        UserError: It cannot be read, or in two ways.
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
    """Read them all: each of one channel of 8 bits, of its image's size, in the data set's own ids.

    Args:
        files: The label maps.
        space: Whose raw ids they must hold.
        on_progress: Called with (files done, files in all).
        palette: What those with a palette of greys hold; None leaves it to which ids there are.

    Raises:
        UserError: Naming the file and what is wrong with it, or saying that they hold train ids.
    """
    known = known_ids(space)
    seen: set[int] = set()
    strange: tuple[Path, int] | None = None
    for done, file in enumerate(files, 1):
        values = read_prediction(file.path, space, palette)
        size = Size(*values.shape)
        if size != file.size:
            raise UserError(
                f"'{file.path}' is {size} but '{file.name}' is {file.size}; give label maps of the "
                "size of their image."
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
    """Whether ids are train ids and ignore alone, some of them ids that no evaluated class has.

    No network that writes the data set's ids gives such; void, which it may give, does not tell.
    """
    if not space.raw_ids_differ:
        return False
    train = {*range(space.num_classes), space.ignore}
    evaluated = {*space.raw_ids, *space.merged_raw_ids, space.void_raw_id}
    return bool(seen) and seen <= train and not seen <= evaluated
