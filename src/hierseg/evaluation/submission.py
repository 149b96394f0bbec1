"""Submissions to benchmarks' servers: a zip of label maps in the required form."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from hierseg.data import Palette, SegmentationDataset
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.label_files import LabelFile, check_label_files, read_prediction
from hierseg.files import remove_leftovers, replacing

Progress = Callable[[int, int], None]
_DATE = (1980, 1, 1, 0, 0, 0)  # one date for all, so that the same maps give the same bytes


@dataclass(frozen=True)
class Form:
    """The form that a server requires: 8-bit PNG of one channel, in the data set's own ids.

    Attributes:
        name: Pattern of the names of the benchmark's images.
        example: An example of such a name, for errors.
        folder: Folder in the zip; empty for none.
    """

    name: re.Pattern[str]
    example: str
    folder: str = ""

    def place(self, name: str) -> str:
        """The path of an image's label map in the zip."""
        return f"{self.folder}/{name}.png" if self.folder else f"{name}.png"


FORMS = {
    # The server finds CITY_SEQUENCE_FRAME*.png at any depth (evalPixelLevelSemanticLabeling.py).
    "cityscapes": Form(re.compile(r"[a-z-]+_\d{6}_\d{6}"), "berlin_000000_000019"),
    # By its devkit: folder and names of the ground truth, Cityscapes' ids.
    "kitti": Form(re.compile(r"\d{6}_\d{2}"), "000000_10", "semantic"),
    "mapillary": Form(re.compile(r"[\w-]+"), "an image's own name"),
    "mapillary-v2.0": Form(re.compile(r"[\w-]+"), "an image's own name"),
}


def find_form(data: str) -> Form:
    """The form of a data set's server; UsageError if none is known."""
    if data not in FORMS:
        raise UsageError(
            f"hierseg knows no server for '{data}'; give --data one of {', '.join(FORMS)}."
        )
    return FORMS[data]


def check_names(dataset: SegmentationDataset) -> None:
    """UserError for an image whose name is not one of the benchmark's."""
    form = find_form(dataset.name)
    for sample in dataset.samples:
        if not form.name.fullmatch(sample.name):
            raise UserError(
                f"'{sample.name}' is not the name of an image of {dataset.name}, such as "
                f"{form.example}; submit the data set's own split."
            )


def write_submission(
    out: Path,
    dataset: SegmentationDataset,
    files: Sequence[LabelFile],
    on_progress: Progress | None = None,
    palette: Palette | None = None,
) -> int:
    """Check label maps and write the zip, whole or not at all.

    Args:
        out: The zip file.
        dataset: The split that is submitted.
        files: A label map for each of its images.
        on_progress: Called with (steps done, steps in all).
        palette: How to read a palette of greys; None decides by the ids that occur.

    Returns:
        Size of the zip in bytes.

    Raises:
        UserError: An image has no label map or a name that the server does not know, or a label map
            is not of the required form.
    """
    form = find_form(dataset.name)
    if len(files) != len(dataset):
        raise UserError(
            f"there are {len(files)} label maps for {len(dataset)} images; give one for each."
        )
    check_names(dataset)
    total = 2 * len(files)

    def tell(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(done, total)

    check_label_files(files, dataset.label_space, tell, palette)
    remove_leftovers(out)
    with replacing(out) as part, zipfile.ZipFile(part, "w") as archive:
        for done, file in enumerate(files, len(files) + 1):
            ids = read_prediction(file.path, dataset.label_space, palette)
            _, encoded = cv2.imencode(".png", ids)
            archive.writestr(_describe(form.place(file.name)), encoded.tobytes())
            tell(done, total)
    return out.stat().st_size


def _describe(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = 0o644 << 16
    return info  # not compressed, since a PNG is already
