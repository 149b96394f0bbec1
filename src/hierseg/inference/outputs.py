"""Writes predictions as files, one function per output. Data are lossless, and every file has the
image's own size.

A file is written under a temporary name and then renamed, so it is complete or absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hierseg.errors import UsageError, UserError
from hierseg.files import write_json
from hierseg.labels import LabelSpace
from hierseg.media import (
    map_rows,
    render_grey,
    render_heat,
    write_labelled,
    write_picture,
)


class Look(NamedTuple):
    """How classes are shown.

    Attributes:
        colored: Whether 8-bit label maps have the classes' colours as a palette; the ids stay the
            same.
        names: Whether overlays show the names of classes on large regions.
    """

    colored: bool = False
    names: bool = False


class Prediction(Protocol):
    """The parts of ``hierseg.Prediction`` that the writers need."""

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """As of ``hierseg.Prediction``."""

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """As of ``hierseg.Prediction``."""

    @property
    def label_space(self) -> LabelSpace:
        """As of ``hierseg.Prediction``."""

    @property
    def attention(self) -> dict[float, npt.NDArray[np.float32]] | None:
        """As of ``hierseg.Prediction``."""

    @property
    def per_scale(self) -> dict[float, npt.NDArray[np.uint8]] | None:
        """As of ``hierseg.Prediction``."""

    @property
    def source(self) -> str:
        """As of ``hierseg.Prediction``."""

    @property
    def frame(self) -> int | None:
        """As of ``hierseg.Prediction``."""

    def color(self) -> npt.NDArray[np.uint8]:
        """As of ``hierseg.Prediction``."""

    def overlay(self, *, names: bool = False) -> npt.NDArray[np.uint8]:
        """As of ``hierseg.Prediction``."""

    def raw_ids(self) -> npt.NDArray[Any]:
        """As of ``hierseg.Prediction``."""

    def to_coco(self) -> dict[str, Any]:
        """As of ``hierseg.Prediction``."""


PLAIN = Look()
"""Grey label maps, and overlays without names."""
Writer = Callable[[Prediction, Path, str, Look], list[Path]]


def write_labels(prediction: Prediction, out: Path, name: str, look: Look = PLAIN) -> list[Path]:
    """``NAME_labels.png``: 8-bit train ids, grey or with a palette of the classes' colours."""
    path = out / f"{name}_labels.png"
    if not look.colored:
        return [write_picture(path, prediction.labels)]
    return [write_labelled(path, prediction.labels, prediction.label_space)]


def write_ids(prediction: Prediction, out: Path, name: str, look: Look = PLAIN) -> list[Path]:
    """``NAME_ids.png``: the data set's raw ids, 8 or 16 bits; no file if they are the train ids."""
    if not prediction.label_space.raw_ids_differ:
        return []
    ids, path = prediction.raw_ids(), out / f"{name}_ids.png"
    if not look.colored or ids.dtype != np.uint8:
        return [write_picture(path, ids)]
    return [write_labelled(path, ids, prediction.label_space, raw=True)]


def write_color(prediction: Prediction, out: Path, name: str, look: Look = PLAIN) -> list[Path]:
    """``NAME_color.png``: each pixel in its class's colour."""
    return [write_picture(out / f"{name}_color.png", prediction.color())]


def write_overlay(prediction: Prediction, out: Path, name: str, look: Look = PLAIN) -> list[Path]:
    """``NAME_overlay.jpg``: the classes' colours over the image."""
    overlay = prediction.overlay(names=look.names)
    return [write_picture(out / f"{name}_overlay.jpg", overlay)]


def write_confidence(
    prediction: Prediction, out: Path, name: str, look: Look = PLAIN
) -> list[Path]:
    """``NAME_confidence.png``: 16-bit grey, the confidence times 65535."""
    scaled = map_rows(
        lambda rows: np.rint(rows.astype(np.float64) * 65535).astype(np.uint16),
        prediction.confidence,
    )
    return [write_picture(out / f"{name}_confidence.png", scaled)]


def write_attention(prediction: Prediction, out: Path, name: str, look: Look = PLAIN) -> list[Path]:
    """``NAME_attention_SCALE.png``, 8-bit grey, the weight times 255; and ``..._heat.jpg``."""
    paths = []
    for scale, weight in (prediction.attention or {}).items():
        stem = f"{name}_attention_{scale:g}"
        paths.append(write_picture(out / f"{stem}.png", render_grey(weight)))
        paths.append(write_picture(out / f"{stem}_heat.jpg", render_heat(weight)))
    return paths


def write_scales(prediction: Prediction, out: Path, name: str, look: Look = PLAIN) -> list[Path]:
    """``NAME_labels_SCALE.png``: train ids by each scale alone, in the form of ``write_labels``."""
    space, paths = prediction.label_space, []
    for scale, labels in (prediction.per_scale or {}).items():
        path = out / f"{name}_labels_{scale:g}.png"
        if look.colored:
            paths.append(write_labelled(path, labels, space))
        else:
            paths.append(write_picture(path, labels))
    return paths


WRITERS: Mapping[str, Writer] = {
    "labels": write_labels,
    "ids": write_ids,
    "color": write_color,
    "overlay": write_overlay,
    "confidence": write_confidence,
    "attention": write_attention,
    "scales": write_scales,
}
"""The outputs that ``--save`` may name -> their writers, which return the files that they wrote."""

USUAL = ("overlay", "color", "labels", "ids")
"""Outputs that ``Prediction.save`` writes by default."""
_PICTURES = (".png", ".jpg", ".jpeg")


def save_prediction(
    prediction: Prediction, path: Path, what: str | Sequence[str] | None
) -> list[Path]:
    """Write the files of ``Prediction.save``; arguments and errors as there."""
    asked = (what,) if isinstance(what, str) else None if what is None else tuple(what)
    for one in asked or ():
        if one not in WRITERS:
            raise UsageError(f"there is no output '{one!s:.40}'; give {', '.join(WRITERS)}.")
        if one in ("attention", "scales") and prediction.per_scale is None:
            raise UserError(
                f"this prediction keeps no single scales, which '{one}' needs; give the predictor "
                "keep_scales=True."
            )
    suffix = path.suffix.lower()
    if path.is_dir() or not suffix:
        path.mkdir(parents=True, exist_ok=True)
        name = Path(prediction.source).stem or "image"
        name += "" if prediction.frame is None else f"_{prediction.frame:06d}"
        return [
            file for one in asked or USUAL for file in WRITERS[one](prediction, path, name, PLAIN)
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".json" and asked is None:
        return [write_json(path, prediction.to_coco())]
    if suffix not in _PICTURES or len(asked or ("overlay",)) != 1:
        raise UsageError(
            f"'{path.name}' cannot hold this output; give a .png or .jpg for one picture, a .json "
            "for COCO, or a folder."
        )
    return [_save_picture(prediction, path, (asked or ("overlay",))[0])]


def _save_picture(prediction: Prediction, path: Path, what: str) -> Path:
    if what == "overlay":
        return write_picture(path, prediction.overlay())
    if path.suffix.lower() != ".png":
        raise UsageError(f"'{path.name}' would lose data of '{what}'; give a .png.")
    # A temporary name first: some outputs are several files, or none.
    stem = f".{path.stem}.{os.getpid()}"
    written = WRITERS[what](prediction, path.parent, stem, PLAIN)
    if len(written) == 1:
        return written[0].replace(path)
    for file in written:
        file.unlink()
    raise UsageError(f"'{what}' is not a single file of this prediction; give a folder.")
