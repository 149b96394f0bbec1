"""Predictions as files: one verb each; data lossless, everything of the image's own size.

A file is complete or not there: it is written beside its place and then moved to it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.inference.prediction import Prediction
from hierseg.inference.rendering import describe_legend, render_heat
from hierseg.labels import LabelSpace

# Colours of every pixel (4:4:4): halved, they would smear along the borders of classes.
_JPEG_OPTIONS = [
    *(cv2.IMWRITE_JPEG_QUALITY, 90),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]


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

NEEDS_SCALES = frozenset({"attention", "scales"})
"""Those that need a predictor with ``keep_scales``."""


def write_legend(space: LabelSpace, out: Path) -> Path:
    """``legend.json``: what the values of the label files mean."""
    return write_json(
        out / "legend.json",
        {
            "label_space": space.name,
            "ignore": space.ignore,
            "raw_ids_differ": space.raw_ids_differ,
            "classes": describe_legend(space),
        },
    )


def write_picture(path: Path, picture: npt.NDArray[Any]) -> Path:
    """Write grey (H, W) of 8 or 16 bits or (H, W, 3) RGB as the suffix says."""
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    options = _JPEG_OPTIONS if path.suffix == ".jpg" else []
    done, encoded = cv2.imencode(path.suffix, pixels, options)
    if not done:
        raise ValueError(f"{picture.shape} {picture.dtype} is no {path.suffix}")
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
    if os.name != "posix":  # Elsewhere the question whether a process lives can end it.
        return
    for part in folder.rglob(".hierseg-*-*.part"):
        process = part.name.split("-")[1]
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
