"""Predictions in formats that labelling tools import: CVAT, FiftyOne, Label Studio, YOLO.

Each image has a file of its own, so that a run can be continued. Files that belong to all images
are written at the end of a run, for all images that are done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from hierseg.errors import MALFORMED, UserError
from hierseg.files import write_json, write_text
from hierseg.inference import Look, Prediction, list_categories
from hierseg.jobs import cvat_xml, label_studio
from hierseg.labels import LabelSpace
from hierseg.media import choose_colors, find_background, write_picture
from hierseg.pages import ImageRecord

COCO = "coco.json"
MASKS = "cvat/SegmentationClass"
LABELMAP = "cvat/labelmap.txt"
LISTED = "cvat/ImageSets/Segmentation/default.txt"
POLYGONS = "yolo/labels"
DATA = "yolo/data.yaml"
TOLERANCE = 1.0
"""Largest error in pixels of YOLO's polygons."""
_BLACK = (0, 0, 0)


def write_coco(prediction: Prediction, out: Path, name: str, look: Look) -> list[Path]:
    """``NAME_coco.json``: a COCO document of this image, with run-length encoded masks."""
    return [write_json(out / f"{name}_coco.json", prediction.to_coco())]


def write_cvat(prediction: Prediction, out: Path, name: str, look: Look) -> list[Path]:
    """``cvat/SegmentationClass/NAME.png``: the colours of ``labelmap.txt``; black is no class."""
    path = out / MASKS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    return [write_picture(path, _mask_colors(prediction.label_space)[prediction.labels])]


def write_yolo(prediction: Prediction, out: Path, name: str, look: Look) -> list[Path]:
    """``yolo/labels/NAME.txt``: a line for each region, with its train id and its outline in shares
    of width and height; a hole is joined to the outline by a cut. Regions that are a single pixel
    or a line are left out.
    """
    height, width = prediction.labels.shape
    lines = []
    for polygon in prediction.polygons(tolerance=TOLERANCE):
        if len(polygon.exterior) < 3:
            continue
        outline = _join_holes(polygon.exterior, [one for one in polygon.holes if len(one) > 2])
        shares = (outline + 0.5) / (width, height)
        numbers = " ".join(f"{value:.6f}" for value in shares.ravel())
        lines.append(f"{polygon.train_id} {numbers}")
    path = out / POLYGONS / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    return [write_text(path, "".join(f"{line}\n" for line in lines))]


LABELLING: Mapping[str, Callable[[Prediction, Path, str, Look], list[Path]]] = {
    "coco": write_coco,
    "cvat": write_cvat,
    "cvat-xml": cvat_xml.write_cvat_xml,
    "labelstudio": label_studio.write_task,
    "yolo": write_yolo,
}
"""What ``--save`` may name besides the outputs of a prediction."""

PLACES: Mapping[str, str] = {
    "coco": "{}_coco.json",
    "cvat": f"{MASKS}/{{}}.png",
    "cvat-xml": cvat_xml.PIECE,
    "labelstudio": label_studio.PIECE,
    "yolo": f"{POLYGONS}/{{}}.txt",
}
"""File of each output, with the name of the image to be filled in."""

SHARED: Mapping[str, Sequence[str]] = {
    "coco": (COCO,),
    "cvat": (LABELMAP, LISTED),
    "cvat-xml": (cvat_xml.DOCUMENT,),
    "labelstudio": (label_studio.TASKS, label_studio.INTERFACE),
    "yolo": (DATA,),
}
"""Files of each output that belong to all images."""


def list_shared(save: Sequence[str]) -> list[str]:
    """The files that belong to all images, for the outputs in ``save``."""
    return [file for key in save for file in SHARED.get(key, ())]


def write_shared(
    records: Iterable[ImageRecord], space: LabelSpace, out: Path, save: Sequence[str]
) -> None:
    """Write the files that belong to all images of a run.

    Args:
        records: The images that are done.
        space: The label space of their predictions.
        out: Folder of the outputs.
        save: The outputs.

    Raises:
        UserError: The COCO document of an image is damaged.
        OSError: A file cannot be read or written.
    """
    known = list(records)

    def list_files(key: str) -> list[Path]:
        return [out / PLACES[key].format(one.name) for one in known if key not in one.unwritten]

    if "coco" in save:
        _write_document(list_files("coco"), space, out)
    if "cvat-xml" in save:
        cvat_xml.join_cvat_xml(list_files("cvat-xml"), space, out)
    if "labelstudio" in save:
        label_studio.join_tasks(list_files("labelstudio"), space, out)
    if "cvat" in save:
        names = "".join(f"{one.name}\n" for one in known if "cvat" not in one.unwritten)
        out.joinpath(LISTED).parent.mkdir(parents=True, exist_ok=True)
        write_text(out / LISTED, names)
        write_text(out / LABELMAP, _describe_masks(space))
    if "yolo" in save:
        out.joinpath(DATA).parent.mkdir(parents=True, exist_ok=True)
        described: dict[str, Any] = {"path": ".", "train": "images", "val": "images"}
        described["names"] = dict(enumerate(space.names))
        write_text(out / DATA, yaml.safe_dump(described, sort_keys=False, allow_unicode=True))


def _write_document(paths: Sequence[Path], space: LabelSpace, out: Path) -> None:
    """Write ``coco.json`` from the images' own documents."""
    images: list[Any] = []
    annotations: list[Any] = []
    for number, path in enumerate(paths, start=1):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            images.append({**document["images"][0], "id": number})
            for one in document["annotations"]:
                annotations.append({**one, "id": len(annotations) + 1, "image_id": number})
        except MALFORMED as error:
            raise UserError(f"{path} is damaged; run again with --overwrite.") from error
    write_json(
        out / COCO,
        {"images": images, "annotations": annotations, "categories": list_categories(space)},
    )


def _mask_colors(space: LabelSpace) -> npt.NDArray[np.uint8]:
    """(256, 3) RGB by train id, distinct and not black: the label space's own colours if they are,
    else those of the palette ``distinct``.
    """
    own = space.color_table()
    shown = [train for train in range(space.num_classes) if train not in find_background(space)]
    colors = {tuple(own[train].tolist()) for train in shown}
    if len(colors) == len(shown) and _BLACK not in colors:
        own[find_background(space)] = 0
        return own
    return choose_colors(space, "distinct")


def _describe_masks(space: LabelSpace) -> str:
    """The text of ``labelmap.txt``: the colour of each class, the background first."""
    colors = _mask_colors(space)
    background = find_background(space)
    lines = ["# label:color_rgb:parts:actions"]
    lines.append(f"{_plain(space.names[background[0]]) if background else 'background'}:0,0,0::")
    for train, name in enumerate(space.names):
        if train not in background:
            red, green, blue = colors[train].tolist()
            lines.append(f"{_plain(name)}:{red},{green},{blue}::")
    return "".join(f"{line}\n" for line in lines)


def _plain(name: str) -> str:
    """A name without the separator of a line's fields."""
    return name.replace(":", "_")


def _join_holes(
    exterior: npt.NDArray[np.int32], holes: Sequence[npt.NDArray[np.int32]]
) -> npt.NDArray[np.int32]:
    """(N, 2) one outline, to which each hole is joined by a cut between the nearest points."""
    outline = exterior
    for hole in holes:
        away = np.linalg.norm(outline[:, None] - hole[None], axis=2)
        at, first = np.unravel_index(int(away.argmin()), away.shape)
        around = np.roll(hole, -int(first), axis=0)
        inward = [outline[: at + 1], around, around[:1], outline[at:]]
        outline = np.concatenate(inward)
    return outline
