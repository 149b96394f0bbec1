"""Class-uniform sampling on and off on CamVid: same seed, same number of steps (METHOD section 6).

    python experiments/class_uniform_camvid.py CAMVID --out runs/class-uniform

trains `camvid-lite0` at half its epochs twice, one run after the other, and writes
`class_uniform.csv`: IoU on val of every class in both runs, the rare ones marked. One of them
alone: `--only on` or `--only off`. The same command goes on where it was interrupted. About
15 minutes a run on two cores that do nothing else.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

from ending import run_main
from hierseg.assembly.parts import build_datasets
from hierseg.checkpoint.load import load_model
from hierseg.config import Experiment
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.result import Evaluation
from hierseg.recipes import get_recipe
from hierseg.size import Size
from hierseg.training import make_display, train

SHARES = {"off": 0.0, "on": 0.5}
TILE = 128
RARE_CLASSES = ("pole", "sign", "fence", "pedestrian", "bicyclist")
"""By `hierseg check` 0.3 to 1.3 % of the training pixels each; no other class has less than 4 %."""


def describe(arguments: argparse.Namespace, which: str) -> Experiment:
    """The recipe with the sampling that is asked for, validated once, at its end."""
    base = get_recipe("camvid-lite0")
    data = replace(
        base.data,
        root=arguments.data_root,
        class_uniform=SHARES[which],
        class_uniform_tile=TILE,
        batch=arguments.batch,
        crop=arguments.crop or base.data.crop,
    )
    folder = arguments.out / which
    return replace(
        base,
        data=data,
        optim=replace(base.optim, epochs=arguments.epochs),
        eval=replace(base.eval, every=arguments.epochs),
        runtime=replace(
            base.runtime,
            out=folder,
            seed=arguments.seed,
            resume=(folder / "run.json").is_file(),
        ),
    )


def run(arguments: argparse.Namespace, which: str) -> Evaluation:
    """Train, and measure the last weights: the best ones would be chosen on val itself."""
    experiment = describe(arguments, which)
    folder = train(experiment, observers=[make_display()]).folder
    data = build_datasets(experiment)
    return evaluate(load_model(folder / "last.safetensors"), data.val, experiment.eval.scales)


def write_table(path: Path, results: dict[str, Evaluation]) -> list[list[str]]:
    """Rows of class, whether it is rare, and its IoU in each run; means below them."""
    first = next(iter(results.values()))
    rows = [["class", "rare", *(f"iou_{which}" for which in results)]]
    for name in first.names:
        ious = [f"{result.scores.iou[name]:.4f}" for result in results.values()]
        rows.append([name, "yes" if name in RARE_CLASSES else "", *ious])
    means = {
        f"mean of {len(RARE_CLASSES)} rare classes": [
            sum(r.scores.iou[name] for name in RARE_CLASSES) / len(RARE_CLASSES)
            for r in results.values()
        ],
        f"mIoU over {first.scores.num_classes_averaged}": [r.scores.miou for r in results.values()],
    }
    rows += [[name, "", *(f"{value:.4f}" for value in values)] for name, values in means.items()]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return rows


def main(words: list[str] | None = None) -> None:
    """Train what is asked for, and print and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_root", type=Path, help="the folder of CamVid")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the table")
    parser.add_argument("--epochs", type=int, default=12, help="of the recipe's 24")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=tuple(SHARES), help="one of the two runs")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=Size.parse, help="the recipe's if none is given")
    arguments = parser.parse_args(words)
    arguments.out.mkdir(parents=True, exist_ok=True)
    chosen = [arguments.only] if arguments.only else list(SHARES)
    results = {which: run(arguments, which) for which in chosen}
    name = f"class_uniform_{arguments.only}.csv" if arguments.only else "class_uniform.csv"
    for row in write_table(arguments.out / name, results):
        print("  ".join(f"{cell:>24}" if i == 0 else f"{cell:>8}" for i, cell in enumerate(row)))


if __name__ == "__main__":
    run_main(main)
