"""The files of a result, as `hierseg predict` writes them, and smaller ones for the page."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.inference import Prediction
from hierseg.jobs import write_legend, write_outputs
from hierseg.media import hex_colors, render_grey, shrink, write_picture
from hierseg.serving.model import Outcome

VIEW = "view"
VIEWED = 1600
"""Longer side in pixels of the pictures on the page."""
ALL = ("overlay", "color", "labels", "ids", "confidence")
"""The outputs of a picture in a zip, beside attention if requested."""
FILES_OF: Mapping[str, str] = {
    "labels": "_labels.png",
    "overlay": "_overlay.jpg",
    "color": "_color.png",
    "confidence": "_confidence.png",
}
"""Output -> the ending of its file."""
_LONGEST_NAME = 80


@dataclass
class Result:
    """The result of an upload.

    Attributes:
        name: The beginning of its files' names.
        folder: The folder of its files.
        about: The description of the result, as JSON holds it.
        files: Names of its files, relative to the folder.
        views: Names of the files that the page draws from.
    """

    name: str
    folder: Path
    about: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)


def name_files(sent: str) -> str:
    """The beginning of the files' names, from the upload's name at the client."""
    stem = re.split(r"[/\\]", sent)[-1].rpartition(".")
    name = re.sub(r"[^\w.-]+", "_", stem[0] or stem[2], flags=re.UNICODE).strip("._-")
    return name[:_LONGEST_NAME] or "picture"


def write_result(outcome: Outcome, result: Result, wanted: Sequence[str], view: bool) -> None:
    """Write the files of a picture, and list them in ``result``.

    Args:
        outcome: The network's outcome.
        result: The result, whose folder exists.
        wanted: Outputs, by the names of `hierseg predict --save`.
        view: Whether to write the page's files too.
    """
    prediction = outcome.prediction
    result.about |= describe_picture(outcome)
    if wanted:
        record = write_outputs(
            prediction,
            result.folder,
            result.name,
            wanted,
            source=result.name,
            bytes=0,
            modified=0,
            seconds=outcome.seconds,
            pictures=False,
        )
        result.files += record.files
        if record.unwritten:
            result.about["unwritten"] = dict(record.unwritten)
    if len(wanted) > 1:
        result.files.append(write_legend(prediction.label_space, result.folder).name)
    if view:
        result.about["view"] = write_view(prediction, result, VIEW)


def describe_picture(outcome: Outcome) -> dict[str, Any]:
    """Size, class shares and confidence, as JSON holds them."""
    prediction = outcome.prediction
    height, width = prediction.labels.shape
    about = {
        "height": height,
        "width": width,
        "seconds": round(outcome.seconds, 4),
        "confidence": round(float(prediction.confidence.mean(dtype=np.float64)), 5),
        "classes": list_classes(prediction.class_shares(), prediction),
    }
    if outcome.engine:
        about["engine"] = outcome.engine
    if outcome.fact:
        about["run_by"] = outcome.fact
    return about


def list_classes(shares: Mapping[str, float], prediction: Prediction) -> list[dict[str, Any]]:
    """Classes that occur, the largest first, with share, train id and colour."""
    space = prediction.label_space
    colors = hex_colors(space)
    return [
        {
            "name": name,
            "share": round(share, 6),
            "train_id": space.names.index(name),
            "color": colors[name],
        }
        for name, share in shares.items()
    ]


def write_view(prediction: Prediction, result: Result, stem: str) -> dict[str, Any]:
    """Write the files that the page draws from: image, labels, confidence and attention in one
    size, the last three as grey PNGs.

    Returns:
        Height, width, and the files' names.
    """
    image = shrink(prediction.image, VIEWED)
    height, width = image.shape[:2]

    def write(ending: str, picture: npt.NDArray[np.uint8]) -> str:
        path = write_picture(result.folder / f"{stem}-{ending}", picture)
        result.views.append(path.name)
        return path.name

    return {
        "height": height,
        "width": width,
        "image": write("image.jpg", image),
        "labels": write("labels.png", _pick(prediction.labels, height, width)),
        "confidence": write("confidence.png", _reduce(prediction.confidence, height, width)),
        "attention": {
            f"{scale:g}": write(f"attention-{scale:g}.png", _reduce(weight, height, width))
            for scale, weight in (prediction.attention or {}).items()
        },
    }


def _pick(labels: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Labels at a smaller size, by nearest neighbour."""
    if labels.shape == (height, width):
        return labels
    rows = np.linspace(0, labels.shape[0] - 1, height).round().astype(int)
    columns = np.linspace(0, labels.shape[1] - 1, width).round().astype(int)
    return np.ascontiguousarray(labels[np.ix_(rows, columns)])


def _reduce(values: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.uint8]:
    grey = render_grey(values)
    return grey if grey.shape == (height, width) else shrink(grey, max(height, width))


def find_file(result: Result, output: str) -> Path:
    """The file of an output; UserError if its format cannot hold the picture."""
    path = result.folder / f"{result.name}{FILES_OF[output]}"
    if not path.is_file():
        why = result.about.get("unwritten", {}).get(output, "it cannot be written")
        raise UserError(f"there is no {output} of {result.name}: {why}.")
    return path


def write_zip(results: Iterable[Result], path: Path) -> Path:
    """Write the files of some results into an archive; several results get a folder each."""
    chosen, used = list(results), set[str]()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNG and JPEG are packed
        for result in chosen:
            place, number = result.name, 2
            while place.casefold() in used:
                place, number = f"{result.name}_{number}", number + 1
            used.add(place.casefold())
            for file in result.files:
                inside = f"{place}/{file}" if len(chosen) > 1 else file
                archive.write(result.folder / file, inside)
    return path
