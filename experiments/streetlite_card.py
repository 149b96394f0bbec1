"""The figures, the table of corruptions and the pictures of streetlite's page, made anew.

    python experiments/streetlite_card.py CAMVID [--weights streetlite] [--page docs/streetlite.md]

Measures the weights on CamVid's val, as they are and with the mirror image, with boundaries and
calibration, and under every corruption on eight frames, mIoU and calibration too. Everything goes
into `RESULTS/streetlite-card.json` as it comes: a repeated call goes on where one was ended, and
other weights begin anew. Then the tables between the marks of the page (`<!-- card:NAME -->`) and
the pictures in `IMAGES` are written; the rows of seeds and of sequences left out are those of
`RESULTS/streetlite.csv`, which streetlite.py writes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from curves import Panel, Point, draw_chart
from ending import run_main
from hierseg.checkpoint.finding import find_weights
from hierseg.checkpoint.load import load_model
from hierseg.data.base import SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.boundaries import BoundaryWatcher
from hierseg.evaluation.calibration import CalibrationWatcher
from hierseg.evaluation.corruptions import CORRUPTIONS, CorruptedDataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.scoring import Watcher
from hierseg.metrics.calibration import CalibrationScores
from hierseg.models.network import SegmentationNetwork
from run_rows import read_rows, show_spread
from streetlite_tries import FRAMES

CSV, FILE = "streetlite.csv", "streetlite-card.json"
SEVERITIES = (1, 2, 3)
THRESHOLDS = [step / 20 for step in range(21)]
SHOWN = (0.5, 0.7, 0.9)
Card = dict[str, Any]


def describe_calibration(scores: CalibrationScores) -> dict[str, Any]:
    """Temperature, calibration error, and share kept and right of it by threshold."""
    points = [scores.keep(threshold) for threshold in THRESHOLDS]
    return {
        "temperature": scores.temperature,
        "ece": round(scores.ece, 6),
        "accuracy": round(scores.accuracy, 6),
        "confidence": round(scores.confidence, 6),
        "coverage": [round(one.coverage, 6) for one in points],
        "right": [round(one.accuracy, 6) if one.coverage else None for one in points],
    }


def watch_calibration(
    network: SegmentationNetwork, split: SegmentationDataset
) -> CalibrationWatcher:
    """At temperature 1 and at that of the weights."""
    header = network.header
    return CalibrationWatcher(split, getattr(header, "temperature", None))


def measure_val(network: SegmentationNetwork, split: SegmentationDataset, flip: bool) -> Card:
    """All figures of val."""
    boundaries, calibration = BoundaryWatcher(split), watch_calibration(network, split)
    watchers: list[Watcher] = [] if flip else [boundaries, calibration]
    scores = evaluate(network, split, flip=flip, watchers=watchers).scores
    card: Card = {
        "miou": round(scores.miou, 6),
        "pixel_accuracy": round(scores.pixel_accuracy, 6),
        "iou": {
            name: None if math.isnan(value) else round(value, 6)
            for name, value in scores.iou.items()
        },
    }
    if flip:
        return card
    edges = boundaries.scores()
    card["boundary_iou"] = round(edges.mean_iou, 6)
    card["f_score"] = {f"{width:g}": round(f, 6) for width, f in edges.mean_f_score.items()}
    card["calibration"] = [describe_calibration(one) for one in calibration.scores()]
    return card


def measure_part(network: SegmentationNetwork, split: SegmentationDataset) -> Card:
    """mIoU and calibration, at the weights' own temperature, of eight frames."""
    watcher = watch_calibration(network, split)
    scores = evaluate(network, split, watchers=[watcher]).scores
    return {"miou": round(scores.miou, 6), **describe_calibration(watcher.scores()[-1])}


def measure(weights: Path, camvid: Path, path: Path) -> Card:
    """The card, of which nothing is measured twice."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    card: Card = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if card.get("weights") != digest:
        card = {"weights": digest}
    network = load_model(weights)
    val, part = (open_dataset("camvid", camvid, "val") for _ in range(2))
    part.samples = part.samples[FRAMES]
    jobs: dict[str, Callable[[], Card]] = {
        "val": lambda: measure_val(network, val, flip=False),
        "flip": lambda: measure_val(network, val, flip=True),
        "clean": lambda: measure_part(network, part),
    }
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            corrupted = CorruptedDataset(part, name, severity)
            jobs[f"{name} {severity}"] = lambda split=corrupted: measure_part(network, split)  # type: ignore[misc]
    for place, (name, job) in enumerate(jobs.items(), start=1):
        if name not in card:
            print(f"{name} ({place} of {len(jobs)}) ...", file=sys.stderr, flush=True)
            card[name] = job()
            path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def percent(value: float) -> str:
    """A share in per cent."""
    return f"{100 * value:.2f}"


def format_figures(card: Card, rows: Sequence[dict[str, str]]) -> str:
    """mIoU, accuracy and classes: on val, and the spread over seeds and sequences left out."""
    seeds = [row for row in rows if re.fullmatch(r"cleared-\d", row["run"])]
    without = [row for row in rows if re.fullmatch(r"once-without-\w+", row["run"])]
    heads = ["val", "val, mirror image too (`--flip`)"]
    heads.append(f"val, {len(seeds)} seeds of the last stage")
    heads.append(f"sequences left out (one training), mean of {len(without)}")
    lines = [f"|  | {' | '.join(heads)} |", "|---|---|---|---|---|"]
    val, flip = card["val"], card["flip"]
    keys = {"**mIoU**": "miou", "pixel accuracy": "pixel_accuracy"}
    for title, key in [*keys.items(), *((name, f"iou_{name}") for name in val["iou"])]:
        own = [one["iou"][title] if key.startswith("iou_") else one[key] for one in (val, flip)]
        spread = show_spread(seeds, key)
        known = [100 * float(row[key]) for row in without if row[key] != "nan"]
        cells = [*map(percent, own), spread, f"{statistics.mean(known):.2f}"]
        if key == "miou":
            cells = [f"**{cell}**" if place in (0, 3) else cell for place, cell in enumerate(cells)]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def format_measures(card: Card) -> str:
    """Boundaries and confidence in words."""
    val, (plain, scaled) = card["val"], card["val"]["calibration"]
    widths = ", ".join(val["f_score"])
    scores = ", ".join(map(percent, val["f_score"].values()))
    return (
        f"- **Boundaries**: mean Boundary IoU {percent(val['boundary_iou'])} (bands of 12 pixels, "
        f"2 % of the diagonal), F-score within {widths} pixels {scores}.\n"
        f"- **Confidence**: expected calibration error {percent(plain['ece'])} % without a "
        f"temperature, and {percent(scaled['ece'])} % at the stored temperature "
        f"{scaled['temperature']:.4g}, which was fitted on every second frame of val."
    )


def format_corruptions(card: Card) -> str:
    """Share of the clean mIoU, and calibration error, by corruption and severity."""
    clean = card["clean"]
    head = " | ".join(f"mIoU, {s}" for s in SEVERITIES)
    errors = " | ".join(f"ECE, {s}" for s in SEVERITIES)
    lines = [f"| | {head} | {errors} |", "|---" * (1 + 2 * len(SEVERITIES)) + "|"]
    kept: list[list[float]] = []
    wrong: list[list[float]] = []
    for name in CORRUPTIONS:
        found = [card[f"{name} {severity}"] for severity in SEVERITIES]
        kept.append([one["miou"] / clean["miou"] for one in found])
        wrong.append([one["ece"] for one in found])
        shares, eces = ([f"{100 * x:.0f}" for x in some[-1]] for some in (kept, wrong))
        lines.append(f"| {name} | {' | '.join([*shares, *eces])} |")
    means = [f"{100 * statistics.mean(x):.0f}" for x in (*zip(*kept, strict=True),)]
    means += [f"{100 * statistics.mean(x):.0f}" for x in (*zip(*wrong, strict=True),)]
    lines.append(f"| mean | {' | '.join(means)} |")
    every = statistics.mean(x for row in kept for x in row)
    lines.append(
        f"\nThe mean share of the clean mIoU ({percent(clean['miou'])} on these eight frames) is "
        f"**{100 * every:.1f} %**. The calibration error of the clean frames is "
        f"{100 * clean['ece']:.1f} %."
    )
    return "\n".join(lines)


def gather_curves(card: Card) -> dict[str, list[tuple[float, float, float]]]:
    """Threshold, share that keeps a class and share of these that is wrong: all of val, and the
    mean over the corruptions of each severity.
    """
    curves = {"val": _join([card["val"]["calibration"][-1]])}
    for severity in SEVERITIES:
        some = [card[f"{name} {severity}"] for name in CORRUPTIONS]
        curves[f"corruptions, severity {severity}"] = _join(some)
    return curves


def _join(some: Sequence[Card]) -> list[tuple[float, float, float]]:
    curve = []
    for place, threshold in enumerate(THRESHOLDS):
        kept = [one["coverage"][place] for one in some]
        right = [(one["right"][place] or 0) * one["coverage"][place] for one in some]
        if sum(kept):
            curve.append((threshold, statistics.mean(kept), 1 - sum(right) / sum(kept)))
    return curve


def format_unknown(card: Card) -> str:
    """What --unknown leaves, and how much of the error it removes, at three thresholds."""
    heads = " | ".join(f"kept at {t:g} | wrong of these | error removed" for t in SHOWN)
    lines = [f"| | wrong without | {heads} |", "|---" * (2 + 3 * len(SHOWN)) + "|"]
    for name, curve in gather_curves(card).items():
        points = {threshold: (kept, wrong) for threshold, kept, wrong in curve}
        _, before = points[0.0]
        cells = [percent(before)]
        for threshold in SHOWN:
            kept, wrong = points.get(threshold, (0.0, 0.0))
            cells += [
                f"{100 * kept:.1f}",
                percent(wrong),
                f"{100 * (1 - kept * wrong / before):.0f}",
            ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw_unknown(card: Card) -> str:
    """The same as a chart, for all thresholds."""
    curves: dict[str, Sequence[Point]] = {
        name: [
            Point(100 * kept, 100 * wrong, 0.0, f"{t:g}"[1:] if t in SHOWN else "")
            for t, kept, wrong in curve
            if t <= 0.95
        ]
        for name, curve in gather_curves(card).items()
    }
    axis = "% of the pixels that keep a class; on a point: the threshold"
    return draw_chart([Panel("--unknown: % wrong of the pixels that keep a class", axis, curves)])


def fill(page: str, tables: dict[str, str]) -> str:
    """The page with each table between its marks; ValueError for marks that are not there."""
    for name, table in tables.items():
        marks = f"<!-- card:{name} -->", f"<!-- /card:{name} -->"
        pattern = re.compile(f"{re.escape(marks[0])}.*?{re.escape(marks[1])}", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the page has no {marks[0]} ... {marks[1]}.")
        filled = f"{marks[0]}\n{table}\n{marks[1]}"
        page = pattern.sub(lambda _, text=filled: text, page)  # type: ignore[misc]
    return page


def draw_attention(weights: str, images: Path) -> None:
    """The picture at the top: scikit-learn's photograph, where it is installed, and a scene."""
    import importlib.util

    found = importlib.util.find_spec("sklearn")
    scenes = images.parent.parent / "demo-out" / "scenes" / "street_03.png"
    if found is None or found.origin is None or not scenes.is_file():
        print("no picture of attention: it wants scikit-learn and `make demo`", file=sys.stderr)
        return
    photograph = Path(found.origin).parent / "datasets" / "images" / "china.jpg"
    script = Path(__file__).with_name("attention_sheet.py")
    words = [str(photograph), str(scenes), "--height", "220", "--weights", weights]
    out = ["--out", str(images / "streetlite.jpg")]
    subprocess.run([sys.executable, str(script), *words, *out], check=True)


def main() -> None:
    """Measure what is missing, and write page and pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("camvid", type=Path, help="the folder of CamVid")
    parser.add_argument("--weights", default="streetlite", help="a file, or packaged weights")
    parser.add_argument("--results", type=Path, default=Path("experiments/results"))
    parser.add_argument("--page", type=Path, default=Path("docs/streetlite.md"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    weights = find_weights(arguments.weights)
    card = measure(weights, arguments.camvid, arguments.results / FILE)
    tables = {
        "figures": format_figures(card, read_rows(arguments.results / CSV)),
        "measures": format_measures(card),
        "corruptions": format_corruptions(card),
        "unknown": format_unknown(card),
    }
    page = arguments.page.read_text(encoding="utf-8")
    arguments.page.write_text(fill(page, tables), encoding="utf-8")
    (arguments.images / "unknown.svg").write_text(draw_unknown(card), encoding="utf-8")
    draw_attention(arguments.weights, arguments.images)


if __name__ == "__main__":
    run_main(main)
