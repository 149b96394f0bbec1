"""Writes the outputs of an image, and makes its record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hierseg.files import write_json
from hierseg.inference import PLAIN, WRITERS, Look, Prediction, Predictor
from hierseg.jobs.labelling import LABELLING, PLACES
from hierseg.labels import LabelSpace
from hierseg.media import UnwritableError, describe_legend
from hierseg.pages import ImageRecord, fill_scales, list_panels, write_panels

LEGEND = "legend.json"


EVERY: dict[str, Callable[[Prediction, Path, str, Look], list[Path]]] = {**WRITERS, **LABELLING}
"""The outputs that ``--save`` may name -> their writers."""

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
    """The files that the writers may write for an image, relative to their folder."""
    endings = [ending for key in save for ending in _ENDINGS.get(key, ())]
    return [
        *(f"{name}{ending}" for ending in fill_scales(endings, scales)),
        *(PLACES[key].format(name) for key in save if key in PLACES),
    ]


def list_run_files(predictor: Predictor, save: Sequence[str], names: Sequence[str]) -> list[str]:
    """All files that may be written for images with these names, relative to their folder."""
    scales = predictor.scales
    has_ids = predictor.label_space.raw_ids_differ
    save = [key for key in save if key != "ids" or has_ids]
    return [
        file
        for name in names
        for file in (*list_outputs(name, save, scales), *list_panels(name, save, scales))
    ]


NEEDS_SCALES = frozenset({"attention", "scales"})
"""Outputs that need a predictor with ``keep_scales``."""


def write_legend(space: LabelSpace, out: Path) -> Path:
    """Write ``legend.json``, the meaning of the values in label files."""
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
    look: Look = PLAIN,
) -> ImageRecord:
    """Write an image's outputs and its pictures for the page, and return its record.

    Args:
        prediction: The prediction for the image.
        out: Folder of the outputs.
        name: Common beginning of the files' names.
        save: The outputs, by their names in ``EVERY``.
        source: Absolute path, or URL, of the image.
        bytes: Size of its file, to notice a changed image.
        modified: Time of the file's last change in nanoseconds, to notice a changed image.
        seconds: Time in the network.
        pictures: Write the page's pictures.
        shown: Outputs that the page shows, by their names; None for ``save``.
        look: How classes are shown.

    Raises:
        UnwritableError: None of the outputs can be written. If only some cannot, the record says
            so.
        OSError: A file cannot be written.
    """
    named = replace(prediction, source=source)
    written: list[Path] = []
    unwritten: dict[str, str] = {}
    for key in save:
        try:
            written += EVERY[key](named, out, name, look)
        except UnwritableError as error:
            unwritten[key] = error.reason
            if len(unwritten) == len(save):
                raise
    panels = []
    if pictures:
        panels = write_panels(prediction, out, name, list(save), shown, look)
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
    """Mean confidence over all pixels; None if an exported graph gives only labels."""
    mean = float(prediction.confidence.mean(dtype=np.float64))
    return None if math.isnan(mean) else mean
