"""How thin a class is, and how little must be wrong for its IoU to fall: CamVid's poles.

    python experiments/thin_classes.py CAMVID [--classes pole sign] [--json EVALUATION.json]

For each split and class: its share of the labelled pixels, the widths of its rows, and the IoU of
the true class with itself after it is moved by one and by two pixels, made a pixel wider on both
sides, or taken through half the size and back by nearest: what a model loses that errs by so much.
With the JSON of `hierseg evaluate`, what the class is taken for, and what is taken for it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ending import run_main
from hierseg.data.catalog import open_dataset

Mask = npt.NDArray[np.bool_]
WIDEST = 4


def measure_iou(pairs: Iterable[tuple[Mask, Mask]]) -> float:
    """The IoU of masks over a whole set; NaN where all are empty."""
    both = either = 0
    for first, second in pairs:
        both += int((first & second).sum())
        either += int((first | second).sum())
    return both / either if either else float("nan")


def move(mask: Mask, pixels: int) -> tuple[Mask, Mask]:
    """A mask and the same moved to the right, where both are in the image."""
    return mask[:, pixels:], mask[:, :-pixels]


def widen(mask: Mask) -> Mask:
    """A pixel more on either side."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((1, 3), np.uint8)) > 0


def halve(mask: Mask) -> Mask:
    """Through half the size and back, by nearest."""
    height, width = mask.shape
    nearest = cv2.INTER_NEAREST
    small = cv2.resize(mask.astype(np.uint8), (width // 2, height // 2), interpolation=nearest)
    return cv2.resize(small, (width, height), interpolation=nearest) > 0


def list_widths(mask: Mask) -> npt.NDArray[np.int64]:
    """Lengths of the runs of a mask's rows."""
    steps = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    return np.argwhere(steps == -1)[:, 1] - np.argwhere(steps == 1)[:, 1]


def describe(masks: list[Mask], labelled: int) -> str:
    """A line of a split's masks."""
    widths = np.concatenate([list_widths(mask) for mask in masks])
    narrow = (widths <= WIDEST).mean() if len(widths) else float("nan")
    return (
        f"share {100 * sum(int(mask.sum()) for mask in masks) / labelled:.2f} %, "
        f"{100 * narrow:.0f} % of its rows at most {WIDEST} pixels wide; IoU with itself "
        f"moved by 1: {measure_iou(move(mask, 1) for mask in masks):.2f}, "
        f"by 2: {measure_iou(move(mask, 2) for mask in masks):.2f}, "
        f"a pixel wider on both sides: {measure_iou((mask, widen(mask)) for mask in masks):.2f}, "
        f"through half the size: {measure_iou((mask, halve(mask)) for mask in masks):.2f}"
    )


def describe_confusion(path: Path, name: str) -> list[str]:
    """What a class is taken for, and what is taken for it, in the result of an evaluation."""
    content = json.loads(path.read_text(encoding="utf-8"))
    names, table = list(content["per_class"]), np.asarray(content["confusion"], np.float64)
    place = names.index(name)
    lines = []
    for words, row in (("is taken for", table[place]), ("is said of", table[:, place])):
        order = np.argsort(-row)[:WIDEST]
        parts = ", ".join(f"{names[i]} {100 * row[i] / row.sum():.0f} %" for i in order)
        lines.append(f"{name} {words} {parts}")
    return lines


def main(words: list[str] | None = None) -> None:
    """A line a class and split, and two for what it is confused with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("camvid", type=Path, help="the folder of CamVid")
    parser.add_argument("--classes", nargs="+", default=["pole"])
    parser.add_argument("--splits", nargs="+", default=["val", "train"])
    parser.add_argument("--json", type=Path, help="what `hierseg evaluate --json` wrote")
    arguments = parser.parse_args(words)
    for split in arguments.splits:
        dataset = open_dataset("camvid", arguments.camvid, split)
        space = dataset.label_space
        maps = [
            labels for i in range(len(dataset)) if (labels := dataset.read_labels(i)) is not None
        ]
        labelled = sum(int((labels != space.ignore).sum()) for labels in maps)
        for name in arguments.classes:
            masks = [labels == space.names.index(name) for labels in maps]
            print(f"{split} {name}: {describe(masks, labelled)}")
    if arguments.json is not None:
        for name in arguments.classes:
            print("\n".join(describe_confusion(arguments.json, name)))


if __name__ == "__main__":
    run_main(main)
