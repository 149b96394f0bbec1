"""Pictures as files: whole or not there, and no reason to end a run.

What a format does not hold, or one place does not take, is an ``UnwritableError``.
"""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageShow

from hierseg.errors import UserError, reason_of
from hierseg.files import write_bytes
from hierseg.labels import LabelSpace
from hierseg.ownership import sign_png

# Colours of every pixel (4:4:4): halved, they would smear along the borders of classes.
_JPEG_OPTIONS = [
    *(cv2.IMWRITE_JPEG_QUALITY, 90),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]

LONGEST_SIDES = {".jpg": 65_500, ".png": 1_000_000}
"""Pixels of a side that the encoders take."""

_ELSEWHERE = frozenset(
    {errno.EACCES, errno.EEXIST, errno.EFBIG, errno.EILSEQ, errno.EINVAL, errno.EIO, errno.EISDIR}
    | {errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM}
)
"""What the operating system says of one file, and may not say of the next."""


class UnwritableError(UserError):
    """One file that cannot be written; others may be.

    Attributes:
        reason: Why, without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} cannot be written: {reason}.")

    def __reduce__(self) -> tuple[type[UnwritableError], tuple[Path, str]]:
        return type(self), (self.path, self.reason)


def as_unwritable(error: OSError, out: Path) -> UnwritableError:
    """The error for a file that cannot be written where others of the folder can; what is true of
    all of them, a full disk or a folder that may not be written to, is raised as it came.
    """
    if error.errno not in _ELSEWHERE or not os.access(out, os.W_OK | os.X_OK):
        raise error
    path = Path(os.fsdecode(error.filename)) if error.filename else out
    return UnwritableError(path, f"{path.name}: {reason_of(error).partition(';')[0]}")


def write_picture(path: Path, picture: npt.NDArray[Any], within: Path | None = None) -> Path:
    """Write grey (H, W) of 8 or 16 bits or (H, W, 3) RGB as the suffix says.

    Args:
        path: The file.
        picture: Its pixels.
        within: Folder of the passing file, as ``files.write_bytes`` takes it.

    Raises:
        UnwritableError: It is wider or higher than such a file may be, or else refused.
        OSError: The file cannot be written.
    """
    height, width = picture.shape[:2]
    kind, longest = path.suffix[1:].upper(), LONGEST_SIDES.get(path.suffix, max(height, width))
    if max(height, width) > longest:  # OpenCV would print a complaint of its own
        raise UnwritableError(
            path, f"{height}x{width} pixels, and a {kind} has at most {longest:,} on a side"
        )
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    options = _JPEG_OPTIONS if path.suffix == ".jpg" else []
    try:
        done, encoded = cv2.imencode(path.suffix, pixels, options)
    except cv2.error as error:
        raise UnwritableError(path, f"{height}x{width} pixels are no {kind}") from error
    if not done:
        raise UnwritableError(path, f"{height}x{width} pixels are no {kind}")
    return write_bytes(path, encoded.tobytes(), within)


def write_labelled(
    path: Path, ids: npt.NDArray[np.uint8], space: LabelSpace, raw: bool = False
) -> Path:
    """Write (H, W) ids as a PNG whose palette has the classes' colours; the ids are its indices.

    Args:
        path: The file.
        ids: Train ids, or raw ids.
        space: Gives the colours.
        raw: Whether they are raw ids.
    """
    colors = space.color_table()
    if raw:
        table = np.zeros((256, 3), np.uint8)
        for train, one in enumerate(space.raw_ids):
            table[one] = colors[train]
        colors = table
    picture = Image.fromarray(ids, "P")
    picture.putpalette(colors.tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return write_bytes(path, file.getvalue())


def show_picture(picture: npt.NDArray[np.uint8], title: str) -> bool:
    """Open a picture in the machine's viewer, or in the notebook; whether there is one."""
    return bool(ImageShow.show(Image.fromarray(picture), title or None))


def write_figure(path: Path, picture: npt.NDArray[Any], command: str) -> Path:
    """Write a picture as a PNG that says which command drew it, so that it may be drawn anew."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise UnwritableError(path, "it is no PNG")
    return write_bytes(path, sign_png(encoded.tobytes(), command))
