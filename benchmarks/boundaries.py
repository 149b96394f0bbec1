"""Boundary measures of an image against the same measures taken class by class.

    python -m benchmarks.boundaries [--quick]

19 classes, 1024x2048, one thread, processor seconds of an image: best of several rounds in which
the two sides take turns. The other side erodes each class's mask for its band, and widens each
class's border by a disk for each of four tolerances, which is what the definitions say; the results
must be equal. Label maps are blobs of many sizes, the prediction's borders are moved a little.
"""

from __future__ import annotations

import argparse
import math
import time

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.metrics import BoundaryCounts, BoundaryScores

CLASSES, IGNORE = 19, 255
TOLERANCES = (3, 5, 9, 12)
ROUNDS = 3
NAMES = [str(number) for number in range(CLASSES)]
Labels = npt.NDArray[np.uint8]


def draw(height: int, width: int) -> tuple[Labels, Labels]:
    """Prediction and truth, a strip of the latter ignored."""
    random = np.random.default_rng(0)
    field = random.normal(size=(CLASSES, height // 64, width // 64)).astype(np.float32)
    fine = random.normal(size=(CLASSES, height // 8, width // 8)).astype(np.float32)
    maps = []
    for blend in (0.0, 0.25):
        best, labels = np.full((height, width), -np.inf, np.float32), np.zeros((height, width), int)
        for train in range(CLASSES):
            size = (width, height)
            values = cv2.resize(field[train], size, interpolation=cv2.INTER_CUBIC)
            values = values + blend * cv2.resize(fine[train], size)
            labels[values > best] = train
            best = np.maximum(best, values)
        maps.append(labels.astype(np.uint8))
    truth, prediction = maps
    truth[-height // 10 :] = IGNORE
    return prediction, truth


def trace(mask: Labels) -> Labels:
    """Pixels that are not as one of the three to the right and below."""
    border = np.zeros(mask.shape, bool)
    border[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    border[:-1] |= mask[:-1] != mask[1:]
    border[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return border.astype(np.uint8)


def score_class_by_class(prediction: Labels, truth: Labels) -> tuple[float, dict[int, float]]:
    """Mean Boundary IoU, and mean F-score by tolerance, over the classes that occur."""
    height, width = truth.shape
    share = 0.005 if (height, width) == (1024, 2048) else 0.02
    distance = max(1, round(share * math.hypot(height, width)))
    square = np.ones((3, 3), np.uint8)
    disks = {}
    for radius in TOLERANCES:
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        disks[radius] = (x * x + y * y <= radius * radius).astype(np.uint8)
    ious: list[float] = []
    f_scores: dict[int, list[float]] = {radius: [] for radius in TOLERANCES}
    for train in range(CLASSES):
        masks = [
            ((labels == train) & (truth != IGNORE)).astype(np.uint8)
            for labels in (prediction, truth)
        ]
        bands = []
        for mask in masks:
            padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
            inner = cv2.erode(padded, square, iterations=distance)[1:-1, 1:-1]
            bands.append((mask == 1) & (inner == 0))
        if (bands[0] | bands[1]).any():
            ious.append((bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum())
        ours, theirs = (trace(mask) for mask in masks)
        if not ours.any() and not theirs.any():
            continue
        for radius, disk in disks.items():
            precision = (ours & cv2.dilate(theirs, disk)).sum() / max(1, ours.sum())
            recall = (theirs & cv2.dilate(ours, disk)).sum() / max(1, theirs.sum())
            both = precision + recall
            f_scores[radius].append(2 * precision * recall / both if both else 0.0)
    return float(np.mean(ious)), {radius: float(np.mean(f)) for radius, f in f_scores.items()}


def score(prediction: Labels, truth: Labels) -> BoundaryScores:
    counts = BoundaryCounts(CLASSES, IGNORE)
    counts.update(prediction, truth)
    return counts.scores(NAMES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="256x512, one round")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    height, width, rounds = (256, 512, 1) if options.quick else (1024, 2048, ROUNDS)
    prediction, truth = draw(height, width)
    ours, theirs = math.inf, math.inf
    for _ in range(rounds):
        start = time.process_time()
        found = score(prediction, truth)
        middle = time.process_time()
        iou, f_scores = score_class_by_class(prediction, truth)
        ours, theirs = min(ours, middle - start), min(theirs, time.process_time() - middle)
    assert math.isclose(found.mean_iou, iou, abs_tol=1e-9), (found.mean_iou, iou)
    for radius, value in f_scores.items():
        assert math.isclose(found.mean_f_score[radius], value, abs_tol=1e-9), radius
    print(
        f"{height}x{width}, {CLASSES} classes: {ours:.3f} s against {theirs:.2f} s class by class, "
        f"{theirs / ours:.1f} times as fast; Boundary IoU {iou:.4f}, F at 3 pixels "
        f"{f_scores[3]:.4f}"
    )


if __name__ == "__main__":
    main()
