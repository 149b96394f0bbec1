"""Predictions in the formats of other projects: COCO with run-length encoding, supervision."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.labels import LabelSpace

Labels = npt.NDArray[np.uint8]


class ClassMask(NamedTuple):
    """The mask of one class.

    Attributes:
        train_id: Train id of the class.
        mask: (H, W) bool.
        box: Left, top, right, bottom in pixels; right and bottom are exclusive.
        pixels: Number of pixels.
        confidence: Their mean confidence, in [0, 1].
    """

    train_id: int
    mask: npt.NDArray[np.bool_]
    box: tuple[int, int, int, int]
    pixels: int
    confidence: float


def list_masks(labels: Labels, confidence: npt.NDArray[np.float32], classes: int) -> list[Any]:
    """A ``ClassMask`` for each class that occurs, by train id."""
    return list(iterate_masks(labels, confidence, classes))


def iterate_masks(
    labels: Labels, confidence: npt.NDArray[np.float32], classes: int
) -> Iterator[ClassMask]:
    """What ``list_masks`` gives; one mask is held at a time."""
    for train in np.unique(labels).tolist():
        if train >= classes:
            continue
        mask = np.equal(labels, train)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        inside = confidence[mask]
        yield ClassMask(train, mask, box, inside.size, float(inside.mean(dtype=np.float64)))


def as_coco(
    labels: Labels,
    confidence: npt.NDArray[np.float32],
    space: LabelSpace,
    image_id: int,
    file_name: str,
) -> dict[str, Any]:
    """The COCO document that ``Prediction.to_coco`` returns."""
    height, width = labels.shape
    annotations = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": one.train_id + 1,
            "segmentation": {"size": [height, width], "counts": encode_runs(one.mask)},
            "bbox": [one.box[0], one.box[1], one.box[2] - one.box[0], one.box[3] - one.box[1]],
            "area": one.pixels,
            "iscrowd": 0,
            # An exported graph may give labels alone: JSON has no NaN.
            **({} if math.isnan(one.confidence) else {"score": round(one.confidence, 4)}),
        }
        for number, one in enumerate(iterate_masks(labels, confidence, space.num_classes), start=1)
    ]
    return {
        "images": [{"id": image_id, "file_name": file_name, "height": height, "width": width}],
        "annotations": annotations,
        "categories": list_categories(space),
    }


def list_categories(space: LabelSpace) -> list[dict[str, Any]]:
    """The classes as COCO categories; ``id`` is the train id plus 1."""
    return [
        {"id": train + 1, "name": name, "supercategory": ""}
        for train, name in enumerate(space.names)
    ]


def count_runs(flat: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Lengths of runs of False and True by turns, the first of False."""
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], ends, [flat.size]]))
    return np.concatenate([[0], counts]) if flat.size and flat[0] else counts


def encode_runs(mask: npt.NDArray[np.bool_]) -> str:
    """COCO's compressed run-length encoding of an (H, W) mask.

    The counts are lengths of alternating runs of 0 and 1, column by column, beginning with 0. From
    the fourth run on, the length of the run two before is subtracted. Each number is written in
    groups of five bits, lowest first; a sixth bit says whether more groups follow, and 48 is added
    to make it a printable character.
    """
    counts = count_runs(mask.ravel(order="F"))
    counts[3:] -= counts[1:-2].copy()
    letters = bytearray()
    for value in counts.tolist():
        while True:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            letters.append(bits + (0x20 if more else 0) + 48)
            if not more:
                break
    return letters.decode("ascii")


def as_detections(labels: Labels, confidence: npt.NDArray[np.float32], space: LabelSpace) -> Any:
    """``supervision.Detections`` of a label map; see ``Prediction.to_supervision``."""
    try:
        supervision = importlib.import_module("supervision")
    except ImportError as error:
        raise UserError(
            "to_supervision needs an optional package: pip install supervision."
        ) from error
    found = list_masks(labels, confidence, space.num_classes)
    if not found:
        return supervision.Detections.empty()
    return supervision.Detections(
        xyxy=np.array([one.box for one in found], np.float32),
        mask=np.stack([one.mask for one in found]),
        confidence=np.array([one.confidence for one in found], np.float32),
        class_id=np.array([one.train_id for one in found]),
        data={"class_name": np.array([space.names[one.train_id] for one in found])},
    )
