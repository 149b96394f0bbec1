"""Table 1 of the paper (HMSA, section 4.1) on CamVid: ways of combining scales, one network family.

    python experiments/paper_table.py CAMVID --out runs/paper-table

trains every variant of ``VARIANTS`` by `hierseg sweep`, on frames of half size and for the same
number of steps, and measures the last weights on val at each set of scales that its rows name; the
best weights would be chosen on val itself. Seed after seed, so that a whole table is there early;
explicit attention, the dearest, has the first seed alone.

`OUT/runs` has a folder a run, which `hierseg runs OUT/runs` shows; every measurement adds its line
to `OUT/paper_table.csv`. Neither a run nor a measurement that is there is done again: the same
command goes on where it was interrupted. `--table` prints what is there in Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from autolabel_camvid import prepare
from ending import run_main
from hierseg.checkpoint.load import load_model
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.sweeps.folder import FINISHED, RunPlace
from run_rows import add_row, read_rows, show_spread

CSV = "paper_table.csv"
COSTS = ("training step, GFLOP an image", "the same, s a step of 4", "run, GFLOP", "run, ms")
COST_FORMS = (
    ("step_gflop", 1, ".1f"),
    ("step_seconds", 1, ".2f"),
    ("run_gflop", 1, ".1f"),
    ("run_seconds", 1000, ".0f"),
)
"""Columns of the csv of `paper_costs.py`, which lies beside that of the table: each with a factor
and a form."""
TWO, THREE, FOUR = (0.5, 1.0), (0.5, 1.0, 2.0), (0.25, 0.5, 1.0, 2.0)


class Variant(NamedTuple):
    """A way to train, and the scales to measure it at."""

    settings: dict[str, Any]
    scales: tuple[tuple[float, ...], ...]
    title: str
    seeds: int = 3
    combined: str | None = None
    """Its title where it is run at several scales, if that is another."""


UNWEIGHTED = {"loss.weighting": "share", "loss.weight_bound": 1.0}
"""What the recipe's loss, weighted by image, has and others do not."""
VARIANTS = {
    "single": Variant(
        {"model.name": "lite0-ocr", "eval.scales": [1.0]},
        ((1.0,), THREE),
        "one scale",
        combined="average",
    ),
    "hier": Variant({}, (TWO, THREE, FOUR), "hierarchical"),
    "paired": Variant({"model.name": "lite0-ocr-paired"}, (TWO, THREE), "paired"),
    "hier-ce": Variant(
        {"loss.main": "cross_entropy", **UNWEIGHTED},
        (TWO, THREE),
        "hierarchical, plain cross-entropy",
    ),
    "hier-rmi": Variant({"loss.main": "rmi", **UNWEIGHTED}, (TWO, THREE), "hierarchical, RMI"),
    "hier-supervised": Variant(
        {"loss.per_scale_weight": 0.05}, (TWO, THREE), "hierarchical, each scale supervised"
    ),
    "hier-uniform": Variant(
        {"data.class_uniform": 0.5}, (TWO, THREE), "hierarchical, class-uniform"
    ),
    "explicit": Variant(
        {"model.name": "lite0-ocr-explicit", "eval.scales": [0.5, 1.0, 2.0]},
        (THREE,),
        "explicit",
        seeds=1,
    ),
}
"""In the order in which they are run."""


Variants = Mapping[str, Variant]


def write_sweep(
    arguments: argparse.Namespace, seeds: int, variants: Variants = VARIANTS, stem: str = "seeds"
) -> Path:
    """The sweep file of so many seeds of every variant that has as many."""
    path: Path = arguments.out / f"{stem}-{seeds}.yaml"
    root = arguments.out / "data" / "all"
    sweep = {
        "recipe": "camvid-lite0",
        "out": str(arguments.out / "runs"),
        "fixed": {
            "data": {"root": str(root), "crop": "176x240", "workers": 0},
            "optim": {"epochs": arguments.epochs, "warmup_steps": 70},
            "eval": {"every": arguments.epochs},
            "runtime": {"device": "cpu"},
        },
        "grid": {"runtime.seed": list(range(seeds))},
        "variants": {
            name: variant.settings for name, variant in variants.items() if variant.seeds >= seeds
        },
        "resources": {"cpus": 1},
        "retries": 1,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(sweep, sort_keys=False))
    return path


def list_rows(variants: Variants = VARIANTS) -> Iterator[tuple[str, int, tuple[float, ...]]]:
    """Variant, seed and scales of every line of the csv, seed after seed."""
    for seed in range(max(variant.seeds for variant in variants.values())):
        for name, variant in variants.items():
            if seed < variant.seeds:
                yield from ((name, seed, scales) for scales in variant.scales)


def measure(
    arguments: argparse.Namespace, name: str, seed: int, scales: Sequence[float], csv: str = CSV
) -> None:
    """Add the line of a run at these scales, if it is trained and has none."""
    path = arguments.out / csv
    shown = " ".join(f"{scale:g}" for scale in scales)
    known = {(row["variant"], row["seed"], row["scales"]) for row in read_rows(path)}
    folder = arguments.out / "runs" / f"{name}-seed{seed}" / "run"
    # A run that was interrupted has weights too.
    is_done = RunPlace(folder.parent).find_state() in FINISHED
    if (name, str(seed), shown) in known or not is_done:
        return
    dataset = open_dataset("camvid", arguments.out / "data" / "all", "val")
    scores = evaluate(load_model(folder / "last.safetensors"), dataset, scales).scores
    row = {"variant": name, "seed": str(seed), "scales": shown, "run": folder.parent.name}
    row |= {"miou": f"{scores.miou:.4f}", "pixel_accuracy": f"{scores.pixel_accuracy:.4f}"}
    add_row(path, row | {f"iou_{key}": f"{value:.4f}" for key, value in scores.iou.items()})


def require_same_epochs(runs: Path, epochs: int) -> None:
    """End where a folder has runs of another length: they would be measured side by side."""
    for record in sorted(runs.glob("*/run/run.json")):
        known = json.loads(record.read_text(encoding="utf-8"))["config"]["optim"]["epochs"]
        if known != epochs:
            sys.exit(f"{record.parent} is of {known} epochs, not {epochs}; give another --out.")


def train_and_measure(
    arguments: argparse.Namespace,
    variants: Variants = VARIANTS,
    stem: str = "seeds",
    csv: str = CSV,
) -> int:
    """Do what is not done yet, seed after seed; the status of the last sweep."""
    require_same_epochs(arguments.out / "runs", arguments.epochs)
    torch.set_num_threads(1)
    prepare(arguments.camvid, arguments.out / "data")
    status = 0
    for seeds in range(1, arguments.seeds + 1):
        sweep = write_sweep(arguments, seeds, variants, stem)
        words = ["sweep", str(sweep), "--parallel", str(arguments.parallel)]
        status = subprocess.run([sys.executable, "-m", "hierseg", *words]).returncode
        if status:
            break  # what is trained is measured all the same
    for name, seed, scales in list_rows(variants):
        measure(arguments, name, seed, scales, csv)
    return status


def format_rows(
    rows: Sequence[dict[str, str]],
    variants: Variants = VARIANTS,
    costs: Sequence[dict[str, str]] = (),
) -> str:
    """Markdown: a row for each variant and set of scales, with its costs; below, its classes."""
    known = {(row["variant"], row["scales"]): row for row in costs}
    heads = ["combined by", "run at", "seeds", "mIoU", "pixel accuracy", *(COSTS if costs else ())]
    names = [key.removeprefix("iou_") for key in rows[0] if key.startswith("iou_")] if rows else []
    lines = [_line(heads), "|---" * len(heads) + "|"]
    classes = [_line(["IoU of", "at", *names]), "|---" * (2 + len(names)) + "|"]
    for key in dict.fromkeys((row["variant"], row["scales"]) for row in rows):
        each = [row for row in rows if (row["variant"], row["scales"]) == key]
        title = variants[key[0]].title
        if " " in key[1]:
            title = variants[key[0]].combined or title
        cells = [title, key[1], str(len(each))]
        cells += [show_spread(each, name) for name in ("miou", "pixel_accuracy")]
        if costs:
            cost = known.get(key, {})
            cells += [
                format(factor * float(cost[name]), form) if cost else ""
                for name, factor, form in COST_FORMS
            ]
        lines.append(_line(cells))
        classes.append(_line([title, key[1], *(show_spread(each, f"iou_{n}", 1) for n in names)]))
    return "\n".join([*lines, "", *classes])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """The words of the command, and of others that train as it does."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("camvid", type=Path, help="the folder of CamVid")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the csv")
    parser.add_argument("--epochs", type=int, default=8, help="of 91 steps of four frames")
    parser.add_argument("--seeds", type=int, default=3, help="the first so many")
    parser.add_argument("--parallel", type=int, default=2, help="runs at once, of a thread each")
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    return parser


def main() -> int:
    """Do what is not done yet, and print the table."""
    arguments = make_parser(__doc__).parse_args()
    status = 0 if arguments.table else train_and_measure(arguments)
    costs = read_rows(arguments.out / "paper_costs.csv")
    print(format_rows(read_rows(arguments.out / CSV), costs=costs))
    return status


if __name__ == "__main__":
    run_main(main)
