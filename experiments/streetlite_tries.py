"""What a change to the recipes of streetlite is worth: the lines of its tries.

A try is a name and settings that differ from the recipes. It is judged by three figures, of the
weights with offsets: mIoU on val (seed 0), the mean over the sequences left out, and the share of
mIoU that remains under the corruptions of `hierseg evaluate`, the mean over all of them at their
three severities on eight frames of val, one in twelve, as in docs/streetlite.md. The criterion,
fixed before the first try, is ``score``: half the first, half the second. The third is a figure
beside it, as training may have seen what it measures (`--data.degrade`).
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hierseg.checkpoint.load import load_model
from hierseg.data.base import SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.corruptions import CORRUPTIONS, run_corruptions
from hierseg.evaluation.evaluator import evaluate
from run_rows import read_rows

CSV = "tries.csv"
RECORD = "try.json"
FRAMES = slice(5, None, 12)
"""Of val, under corruptions: eight."""
SHOWN = ("score", "val", "left_out", "kept", "val_plain", "left_out_plain")


def read_settings(words: Sequence[str]) -> dict[str, Any]:
    """``["data.degrade=0.5"]`` to names and values, which are YAML; ValueError for other words."""
    settings = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise ValueError(f"'{word}' is no NAME=VALUE, such as data.degrade=0.5.")
        settings[name] = yaml.safe_load(value)
    return settings


def require_same(folder: Path, settings: Mapping[str, Any], epochs: int | None) -> None:
    """Note what a try is; ValueError where its folder holds another of the same name."""
    now = json.loads(json.dumps({"settings": settings, "epochs": epochs}))
    path = folder / RECORD
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != now:
            raise ValueError(f"{path} has {before}, not {now}; give the try another name.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(now), encoding="utf-8")


def measure_kept(weights: Path, camvid: Path, out: Path) -> float:
    """The mean share of mIoU under corruptions; a repeated call goes on where one was ended."""
    network = load_model(weights)
    dataset = open_dataset("camvid", camvid, "val")
    dataset.samples = dataset.samples[FRAMES]

    def measure(split: SegmentationDataset, on_progress: Any) -> Any:
        return evaluate(network, split, on_progress=on_progress)

    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    clean = evaluate(network, dataset)
    report = run_corruptions(measure, dataset, clean, tuple(CORRUPTIONS), out, digest)
    return report.mean_kept()


def make_line(
    name: str, settings: Mapping[str, Any], rows: Sequence[Mapping[str, str]], kept: float
) -> dict[str, str]:
    """The line of a try, of those of its runs: seeds, and sequences left out."""

    def mean(kind: str, key: str) -> float:
        return statistics.mean(float(row[key]) for row in rows if row["run"].startswith(kind))

    val, left_out = mean("seed-", "miou"), mean("without-", "miou")
    return {
        "try": name,
        "settings": " ".join(f"{key}={value}" for key, value in settings.items()),
        "runs": " ".join(row["run"] for row in rows),
        "epochs": rows[0]["epochs"],
        "minutes": f"{sum(float(row['minutes']) for row in rows):.1f}",
        "score": f"{(val + left_out) / 2:.4f}",
        "val": f"{val:.4f}",
        "left_out": f"{left_out:.4f}",
        "kept": f"{kept:.4f}",
        "val_plain": f"{mean('seed-', 'plain_miou'):.4f}",
        "left_out_plain": f"{mean('without-', 'plain_miou'):.4f}",
    }


def format_tries(path: Path) -> str:
    """A Markdown table of the tries, the best first."""
    rows = sorted(read_rows(path), key=lambda row: -float(row["score"]))
    lines = [f"| try | settings | epochs | minutes | {' | '.join(SHOWN)} |"]
    lines.append("|---" * (4 + len(SHOWN)) + "|")
    for row in rows:
        figures = [f"{100 * float(row[key]):.2f}" for key in SHOWN]
        cells = [row["try"], row["settings"], row["epochs"], row["minutes"], *figures]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
