"""Predictions as files: one verb each; data lossless, everything of the image's own size. And the
record of all that is written of an image.

A file is complete or not there: it is written beside its place and then moved to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hierseg.files import write_json
from hierseg.inference import Prediction, Predictor
from hierseg.labels import LabelSpace
from hierseg.media import (
    UnwritableError,
    describe_legend,
    map_rows,
    render_grey,
    render_heat,
    write_picture,
)
from hierseg.pages import ImageRecord, fill_scales, list_panels, write_panels

LEGEND = "legend.json"


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
    scaled = map_rows(
        lambda rows: np.rint(rows.astype(np.float64) * 65535).astype(np.uint16),
        prediction.confidence,
    )
    return [write_picture(out / f"{name}_confidence.png", scaled)]


def write_attention(prediction: Prediction, out: Path, name: str) -> list[Path]:
    """``NAME_attention_SCALE.png``, 8-bit grey, 255 times the weight, and ``..._heat.jpg``."""
    paths = []
    for scale, weight in (prediction.attention or {}).items():
        stem = f"{name}_attention_{scale:g}"
        paths.append(write_picture(out / f"{stem}.png", render_grey(weight)))
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


def list_run_files(predictor: Predictor, save: Sequence[str], names: Sequence[str]) -> list[str]:
    """All that may be written of images of these names."""
    scales = predictor.scales
    has_ids = predictor.label_space.raw_ids_differ
    save = [key for key in save if key != "ids" or has_ids]
    return [
        file
        for name in names
        for file in (*list_outputs(name, save, scales), *list_panels(name, save, scales))
    ]


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


def write_outputs(
    prediction: Prediction,
    out: Path,
    name: str,
    save: Sequence[str],
    *,
    source: str,
    bytes: int,
    modified: int,
    seconds: float,
    pictures: bool = True,
    shown: Sequence[str] | None = None,
) -> ImageRecord:
    """Write what ``save`` names, and the pictures of the page.

    Args:
        prediction: Of the image.
        out: Folder of the outputs.
        name: What the files' names begin with.
        save: Outputs by their names in ``WRITERS``.
        source: Absolute path of the image.
        bytes: Its size, and
        modified: its time of change in nanoseconds, by which a changed image is noticed.
        seconds: Time in the network.
        pictures: Whether the page's pictures are written.
        shown: Outputs that the page shows, by those names; None for what ``save`` names.

    Raises:
        UnwritableError: No format that ``save`` names holds the image; of some, the record says so.
        OSError: A file cannot be written.
    """
    written: list[Path] = []
    unwritten: dict[str, str] = {}
    for key in save:
        try:
            written += WRITERS[key](prediction, out, name)
        except UnwritableError as error:
            unwritten[key] = error.reason
            if len(unwritten) == len(save):
                raise
    panels = []
    if pictures:
        panels = write_panels(prediction, out, name, list(save), shown)
    files = [file.relative_to(out).as_posix() for file in written]
    height, width = prediction.labels.shape
    return ImageRecord(
        source=source,
        bytes=bytes,
        modified=modified,
        name=name,
        height=height,
        width=width,
        confidence=_mean_confidence(prediction),
        shares=prediction.class_shares(),
        seconds=round(seconds, 4),
        files=sorted({*files, *(panel.file for panel in panels)}),
        panels=panels,
        unwritten=unwritten,
    )


def _mean_confidence(prediction: Prediction) -> float | None:
    """Over all pixels; None where an exported graph gives labels alone."""
    mean = float(prediction.confidence.mean(dtype=np.float64))
    return None if math.isnan(mean) else mean
