"""All that is written of one image, and the record of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hierseg.inference import Prediction
from hierseg.jobs.writers import WRITERS
from hierseg.media import UnwritableError
from hierseg.pages import ImageRecord, write_panels


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
    panels = write_panels(prediction, out, name, list(save)) if pictures else []
    files = [file.relative_to(out).as_posix() for file in written]
    height, width = prediction.labels.shape
    return ImageRecord(
        source=source,
        bytes=bytes,
        modified=modified,
        name=name,
        height=height,
        width=width,
        confidence=float(prediction.confidence.mean(dtype=np.float64)),
        shares=prediction.class_shares(),
        seconds=round(seconds, 4),
        files=sorted({*files, *(panel.file for panel in panels)}),
        panels=panels,
        unwritten=unwritten,
    )
