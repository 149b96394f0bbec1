"""Writes pictures as files, atomically.

If a format cannot hold a picture, or one file cannot be written, it raises ``UnwritableError``,
which need not end a run.
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

# No chroma subsampling (4:4:4), which would smear colours along the borders of classes.
_JPEG_OPTIONS = [
    *(cv2.IMWRITE_JPEG_QUALITY, 90),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]

LONGEST_SIDES = {".jpg": 65_500, ".png": 1_000_000}
"""Longest side in pixels that a format holds."""

_ELSEWHERE = frozenset(
    {errno.EACCES, errno.EEXIST, errno.EFBIG, errno.EILSEQ, errno.EINVAL, errno.EIO, errno.EISDIR}
    | {errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM}
)
"""Errors of the operating system that concern one file, and perhaps not the next."""


class UnwritableError(UserError):
    """One file cannot be written, though others may be.

    Attributes:
        path: The file.
        reason: Why, without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} cannot be written: {reason}.")

    def __reduce__(self) -> tuple[type[UnwritableError], tuple[Path, str]]:
        return type(self), (self.path, self.reason)


def as_unwritable(error: OSError, out: Path) -> UnwritableError:
    """Convert an error that concerns a single file of a folder.

    Args:
        error: The error of writing the file.
        out: The folder of the outputs.

    Raises:
        OSError: ``error`` itself, if it concerns all files: a full disk, or a folder that is not
            writable.
    """
    if error.errno not in _ELSEWHERE or not os.access(out, os.W_OK | os.X_OK):
        raise error
    path = Path(os.fsdecode(error.filename)) if error.filename else out
    return UnwritableError(path, f"{path.name}: {reason_of(error).partition(';')[0]}")


def write_picture(path: Path, picture: npt.NDArray[Any], within: Path | None = None) -> Path:
    """Write a picture in the format of the path's suffix.

    Args:
        path: The file.
        picture: (H, W) uint8 or uint16 grey, or (H, W, 3) uint8 RGB.
        within: Folder of the temporary file, as for ``files.write_bytes``.

    Raises:
        UnwritableError: The picture is wider or higher than the format allows, or the encoder
            refuses it.
        OSError: The file cannot be written.
    """
    height, width = picture.shape[:2]
    suffix = ".jpg" if path.suffix.lower() == ".jpeg" else path.suffix.lower()
    kind, longest = suffix[1:].upper(), LONGEST_SIDES.get(suffix, max(height, width))
    if max(height, width) > longest:  # OpenCV would print a complaint of its own
        raise UnwritableError(
            path, f"{height}x{width} pixels, and a {kind} has at most {longest:,} on a side"
        )
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    options = _JPEG_OPTIONS if suffix == ".jpg" else []
    try:
        done, encoded = cv2.imencode(suffix, pixels, options)
    except cv2.error as error:
        raise UnwritableError(path, f"{height}x{width} pixels cannot be a {kind}") from error
    if not done:
        raise UnwritableError(path, f"{height}x{width} pixels cannot be a {kind}")
    return write_bytes(path, encoded.tobytes(), within)


def write_labelled(
    path: Path, ids: npt.NDArray[np.uint8], space: LabelSpace, raw: bool = False
) -> Path:
    """Write ids as a PNG whose palette has the classes' colours; the ids are its indices.

    Args:
        path: The file.
        ids: (H, W) uint8 train ids or raw ids.
        space: The label space, for the colours.
        raw: Whether ``ids`` are raw ids.

    Raises:
        OSError: The file cannot be written.
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
    """Open (H, W, 3) uint8 RGB in the machine's viewer or the notebook; False if there is none."""
    return bool(ImageShow.show(Image.fromarray(picture), title or None))


def write_figure(path: Path, picture: npt.NDArray[Any], command: str) -> Path:
    """Write (H, W, 3) RGB as a PNG that names the command that drew it, which may so replace it."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise UnwritableError(path, "it cannot be a PNG")
    return write_bytes(path, sign_png(encoded.tobytes(), command))
