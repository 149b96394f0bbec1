"""How far estimated flow is from exact flow, and how good the frames are that it makes.

    hierseg streets --clip 30 --count 24 --val-fraction 0.34 --size 192x384 --seed 7 --out CLIPS
    hierseg train sdcnet --data.root CLIPS --runtime.out RUN
    python experiments/flow_accuracy.py CLIPS --flow dis sdcnet:RUN --out accuracy.json

Of the clips of a split each three frames in a row are taken, spread evenly. Distances from the
exact flow are in pixels: over what is seen in both frames, and over what is hidden in one or leaves
the picture. The error of a made frame is the mean distance of its colours from the real ones, in
grey values, where it can be made at all, that is over what is seen in both.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ending import run_main
from hierseg.checkpoint import open_flow
from hierseg.flow import FlowEstimator, Pair, check_flow, name_flow, warp_image
from hierseg.media import write_picture
from hierseg.propagation import choose_triples, find_clips

OUTLIER = 3.0
"""Pixels from which on a distance counts as one of an outlier, as KITTI has it."""
SUFFIX = "_leftImg8bit"
COLUMNS = ("visible", "median", "outliers", "hidden", "error", "passing", "passing_visible")


def read_exact(root: Path, where: Pair) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """(H, W, 2) exact flow and (H, W) what is seen in both frames."""
    pair = Pair(where.source.removesuffix(SUFFIX), where.target.removesuffix(SUFFIX))
    with np.load(root / "flow_sequence" / f"{name_flow(pair)}.npz") as stored:
        return stored["flow"], stored["visible"]


def measure(
    source: npt.NDArray[np.uint8],
    target: npt.NDArray[np.uint8],
    flow: npt.NDArray[np.float32],
    exact: npt.NDArray[np.float32],
    visible: npt.NDArray[np.bool_],
) -> dict[str, float]:
    """Figures of one frame, by column."""
    distance = np.sqrt(((flow - exact) ** 2).sum(2))
    colors = warp_image(source, flow).astype(np.float32) - target
    error = np.sqrt((colors**2).sum(2))
    near = distance[visible]
    passing = check_flow(source, target, flow) >= 0.5
    return {
        "visible": float(near.mean()),
        "median": float(np.median(near)),
        "outliers": float((near > OUTLIER).mean()),
        "hidden": float(distance[~visible].mean()) if not visible.all() else float("nan"),
        "error": float(error[visible].mean()),
        "passing": float(passing.mean()),
        "passing_visible": float(distance[passing & visible].mean()),
    }


def compare(
    root: Path, split: str, estimators: dict[str, FlowEstimator], count: int
) -> dict[str, dict[str, float]]:
    """Mean figures of no motion, each estimator and the exact flow, by name."""
    clips = find_clips(root, split)
    rows: dict[str, list[dict[str, float]]] = {}
    for triple in choose_triples(clips, count):
        frames = clips.read(triple)
        exact, visible = read_exact(root, frames.where)
        flows = {"none": np.zeros_like(exact), "exact": exact}
        for name, estimator in estimators.items():
            flows[name] = estimator.estimate(
                frames.source, frames.target, frames.before, where=frames.where
            )
        for name, flow in flows.items():
            row = measure(frames.source, frames.target, flow, exact, visible)
            rows.setdefault(name, []).append(row)
    return {
        name: {column: float(np.nanmean([row[column] for row in found])) for column in COLUMNS}
        for name, found in rows.items()
    }


def color_flow(flow: npt.NDArray[np.float32], longest: float) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB: direction as hue, length as saturation, white for stillness."""
    angle = np.arctan2(flow[..., 1], flow[..., 0])
    length = np.clip(np.sqrt((flow**2).sum(2)) / longest, 0, 1)
    hue = (angle / np.pi + 1) * 90
    hsv = np.stack([hue, 255 * length, np.full_like(hue, 255)], 2).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def draw(root: Path, split: str, estimators: dict[str, FlowEstimator], out: Path) -> None:
    """Write a picture of one pair of frames: the frames, and a flow a row with the frame that it
    makes and how far that is from the real one.
    """
    clips = find_clips(root, split)
    frames = clips.read(choose_triples(clips, 3)[1])
    exact, visible = read_exact(root, frames.where)
    longest = float(np.percentile(np.abs(exact), 99))
    flows = {"exact": exact}
    for name, estimator in estimators.items():
        flows[name] = estimator.estimate(
            frames.source, frames.target, frames.before, where=frames.where
        )
    hidden = np.repeat(np.where(visible, 255, 90).astype(np.uint8)[..., None], 3, 2)
    rows = [(frames.source, frames.target, hidden)]
    for flow in flows.values():
        made = warp_image(frames.source, flow)
        error = cv2.absdiff(made, frames.target)
        rows.append((color_flow(flow, longest), made, 255 - np.minimum(error, 85) * 3))
    picture = np.concatenate([np.concatenate(row, 1) for row in rows])
    write_picture(out, picture)


def main(words: list[str] | None = None) -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--flow", nargs="+", default=["dis"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path, help="rows: frames and what is seen; then flows")
    chosen = parser.parse_args(words)
    estimators = {asked: open_flow(asked) for asked in chosen.flow}
    table = compare(chosen.clips, chosen.split, estimators, chosen.count)
    print("| flow | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, figures in table.items():
        print(f"| {name} | " + " | ".join(f"{figures[one]:.3f}" for one in COLUMNS) + " |")
    if chosen.picture is not None:
        draw(chosen.clips, chosen.split, estimators, chosen.picture)
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_main(main)
