"""Which files a folder run may write: those that are not there, and its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hierseg.errors import UsageError
from hierseg.inference import Predictor
from hierseg.jobs.summary import Summary
from hierseg.jobs.writers import LEGEND, list_outputs
from hierseg.ownership import find_foreign, refuse_foreign
from hierseg.pages import FILE as PAGE
from hierseg.pages import list_panels


def list_files(predictor: Predictor, save: Sequence[str], names: Sequence[str]) -> list[str]:
    """All that may be written of images of these names."""
    scales = predictor.scales
    has_ids = predictor.label_space.raw_ids_differ
    save = [key for key in save if key != "ids" or has_ids]
    return [
        file
        for name in names
        for file in (*list_outputs(name, save, scales), *list_panels(name, save, scales))
    ]


def claim_files(
    out: Path,
    files: Sequence[str],
    summary: Summary,
    overwrite: bool,
    images: Sequence[Path] = (),
) -> list[str]:
    """The files, relative to the outputs' folder, that are there, are not the run's own, and may be
    replaced none the less.

    Raises:
        UsageError: One may not: it is no earlier run's, or an image that is to be segmented.
    """
    own = summary.files
    if summary.taken_up:  # whose page, legend and summary are written anew each time
        own |= {LEGEND, PAGE}
    foreign = find_foreign(out, files, own.__contains__)
    sources = {os.path.realpath(image) for image in images} if foreign else set()
    for file in foreign:
        if os.path.realpath(out / file) in sources:
            raise UsageError(
                f"'{out / file}' is an image that is to be segmented, and would be replaced by an "
                "output; choose another --out."
            )
    if not (overwrite or summary.is_partial):
        refuse_foreign(out, foreign, "predict")
    return foreign
