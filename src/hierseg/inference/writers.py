"""Predictions as files: one verb each; data lossless, everything of the image's own size.

A file is complete or not there: it is written beside its place and then moved to it. What a format
does not hold, or one place does not take, is no reason to end a run: ``UnwritableError`` says so.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError, reason_of
from hierseg.inference.prediction import Prediction
from hierseg.inference.rendering import describe_legend, render_heat
from hierseg.labels import LabelSpace

# Colours of every pixel (4:4:4): halved, they would smear along the borders of classes.
_JPEG_OPTIONS = [
    *(cv2.IMWRITE_JPEG_QUALITY, 90),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]


LEGEND = "legend.json"
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
        self.reason = reason
        super().__init__(f"{path} cannot be written: {reason}.")


def as_unwritable(error: OSError, out: Path) -> UnwritableError:
    """The error for a file that cannot be written where others of the folder can; what is true of
    all of them, a full disk or a folder that may not be written to, is raised as it came.
    """
    if error.errno not in _ELSEWHERE or not os.access(out, os.W_OK | os.X_OK):
        raise error
    path = Path(os.fsdecode(error.filename)) if error.filename else out
    return UnwritableError(path, f"{reason_of(error).partition(';')[0]} ({path.name})")


def write_labels(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_labels.png``: train ids, 8-bit grey."""
    return [write_picture(out / f"{name}_labels.png", prediction.labels)]


def write_ids(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_ids.png``: the data set's own ids, 8 or 16 bits; none where they are the train ids."""
    if not prediction.label_space.raw_ids_differ:
        return []
    return [write_picture(out / f"{name}_ids.png", prediction.raw_ids())]


def write_color(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_color.png``: the classes' colours."""
    return [write_picture(out / f"{name}_color.png", prediction.color())]


def write_overlay(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_overlay.jpg``: the image under the classes' colours."""
    return [write_picture(out / f"{name}_overlay.jpg", prediction.overlay())]


def write_confidence(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_confidence.png``: 16-bit grey, 65535 times the probability of the class chosen."""
    scaled = np.rint(prediction.confidence.astype(np.float64) * 65535)
    return [write_picture(out / f"{name}_confidence.png", scaled.astype(np.uint16))]


def write_attention(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_attention_SCALE.png``, 8-bit grey, 255 times the weight, and ``..._heat.jpg``."""
    paths = []
    for scale, weight in (prediction.attention or {}).items():
        stem = f"{name}_attention_{scale:g}"
        grey = np.rint(np.clip(weight, 0, 1) * 255).astype(np.uint8)
        paths.append(write_picture(out / f"{stem}.png", grey))
        paths.append(write_picture(out / f"{stem}_heat.jpg", render_heat(weight)))
    return paths


def write_scales(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_labels_SCALE.png``: train ids by each scale alone, 8-bit grey."""
    return [
        write_picture(out / f"{name}_labels_{scale:g}.png", labels)
        for scale, labels in (prediction.per_scale or {}).items()
    ]


WRITERS: Mapping[str, Callable[[Prediction, Path, str], list[Path]]] = {
    "labels": write_labels,
    "ids": write_ids,
    "color": write_color,
    "overlay": write_overlay,
    "confidence": write_confidence,
    "attention": write_attention,
    "scales": write_scales,
}
"""What ``--save`` may name, and who writes it; each returns the files it wrote."""

_ENDINGS: Mapping[str, Sequence[str]] = {
    "labels": ("_labels.png",),
    "ids": ("_ids.png",),
    "color": ("_color.png",),
    "overlay": ("_overlay.jpg",),
    "confidence": ("_confidence.png",),
    "attention": ("_attention_{:g}.png", "_attention_{:g}_heat.jpg"),
    "scales": ("_labels_{:g}.png",),
}


def list_outputs(name: str, save: Sequence[str], scales: Sequence[float]) -> list[str]:
    """The files that the writers may write of an image, relative to their folder."""
    endings = [ending for key in save for ending in _ENDINGS[key]]
    return [f"{name}{ending}" for ending in fill_scales(endings, scales)]


def fill_scales(endings: Sequence[str], scales: Sequence[float]) -> list[str]:
    """Each ending that speaks of a scale, for each scale."""
    every = [e.format(s) for e in endings if "{" in e for s in scales]
    return [*(e for e in endings if "{" not in e), *every]


NEEDS_SCALES = frozenset({"attention", "scales"})
"""Those that need a predictor with ``keep_scales``."""


def write_legend(space: LabelSpace, out: Path) -> Path:
    """``legend.json``: what the values of the label files mean."""
    return write_json(
        out / LEGEND,
        {
            "label_space": space.name,
            "ignore": space.ignore,
            "raw_ids_differ": space.raw_ids_differ,
            "classes": describe_legend(space),
        },
    )


def write_picture(path: Path, picture: npt.NDArray[Any]) -> Path:
    """Write grey (H, W) of 8 or 16 bits or (H, W, 3) RGB as the suffix says.

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
    return write_bytes(path, encoded.tobytes())


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write JSON that any reader takes: ASCII, no NaN."""
    return write_bytes(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def write_text(path: Path, text: str) -> Path:
    """Write text in UTF-8."""
    return write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file so that it is either complete or as it was before, also if two write it."""
    part = path.with_name(f".hierseg-{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):  # which knows the passing file alone
            error.filename, error.filename2 = str(path), None
        raise
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what processes of this machine were writing when they were killed."""
    for part in folder.rglob(".hierseg-*-*.part"):
        remove_dead(part, part.name.split("-")[1])


def remove_dead(part: Path, process: str) -> None:
    """Remove a file that a process was writing, if that lives no more."""
    if os.name != "posix":  # Elsewhere the question whether a process lives can end it.
        return
    if process.isdecimal() and not _lives(int(process)):
        part.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True
