"""The model in the box: three seeds of its training, and without each sequence of CamVid once.

    python experiments/streetlite.py CAMVID --out runs/streetlite

`seed-0` to `seed-2` train on train and are measured on val; `without-0016E5` and so on, for each
sequence that the frames' names begin with, train on the frames of train and val of all others and
are measured on those of the sequence: val is a part of a drive whose other parts are in train, so
what the model is worth on a street that it has not seen is the second figure.

A run is `hierseg train streetlite`, whose last weights count, as the best ones would be chosen on
what they are measured by, and `hierseg adjust` on every fourth frame that it was trained on.
`seed-0-finished` goes on from there with `streetlite-finish`, and `seed-0-polished` from there with
`streetlite-polish`; each is adjusted in turn, and `OUT/seed-0-polished/streetlite.safetensors` is
what is in the package.

Every run adds its line to `OUT/streetlite.csv`, and one that has its line is not done again: the
same command goes on where it was interrupted. `--only seed-1 without-0006R0` does some of them,
several such commands run side by side, and `--table` prints the table of what is there in Markdown.

A change is tried by

    python experiments/streetlite.py CAMVID --out runs/tries --try dusk --set data.degrade=0.5

which does `seed-0` and the run without each sequence in `OUT/dusk`, with those settings in every
stage, and adds a line to `OUT/tries.csv` once all of them are done: streetlite_tries.py says by
what. `--stages 3` does all stages of each, not the first alone; `--epochs` shortens each; without
`--set` it is the recipes themselves at that length, to compare with. Of a larger network the first
stage begins with weights of Miniature Streets too, as streets-lite0 is of the smallest:

    hierseg train streets-lite0 --model.name lite2-ocr-hier --data.root STREETS --runtime.out S2
    ... --set model.name=lite2-ocr-hier model.weights=S2/last.safetensors
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ending import run_main
from hierseg.checkpoint.load import load_model
from hierseg.commands.adjust import AdjustFlags, adjust
from hierseg.config import Experiment
from hierseg.data.base import Sample
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.recipes import get_recipe
from hierseg.sweeps.resolving import apply_settings
from hierseg.training import make_display, train
from run_rows import add_row, read_rows, show_spread
from streetlite_tries import CSV as TRIES
from streetlite_tries import format_tries, make_line, measure_kept, read_settings, require_same

CSV = "streetlite.csv"
SEEDS = ("seed-0", "seed-1", "seed-2")
WITHOUT = "without-"
STAGES = {"": "streetlite", "-finished": "streetlite-finish", "-polished": "streetlite-polish"}
"""Endings of runs and their recipes, each of which begins with the weights of the one before."""
KEYS = ("plain_miou", "miou", "pixel_accuracy")
EVERY = 4  # frames of those trained on, for the offsets


def sequence_of(name: str) -> str:
    """The sequence of a frame: 0016E5 of 0016E5_00390."""
    return name.split("_", 1)[0]


def find_sequences(camvid: Path) -> list[str]:
    """The sequences of train and val, in order of their names."""
    frames = [sample.name for part in ("train", "val") for sample in _samples(camvid, part)]
    return sorted({sequence_of(name) for name in frames})


def leave_out(camvid: Path, out: Path, sequence: str) -> None:
    """Write CamVid's form by links: the frames of other sequences as train, those of it as val."""
    for part in ("train", "val"):
        for sample in _samples(camvid, part):
            assert sample.label is not None
            side = "val" if sequence_of(sample.name) == sequence else "train"
            _link(Path(sample.image), out / side)
            _link(Path(sample.label), out / f"{side}annot")


def _samples(camvid: Path, part: str) -> Sequence[Sample]:
    return open_dataset("camvid", camvid, part).samples


def _link(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / file.name
    if not link.exists():
        link.symlink_to(file.resolve())


def split_run(run: str) -> tuple[str, int]:
    """A run's first stage, and which stage it is."""
    for stage, ending in reversed(list(enumerate(STAGES))):
        if run.endswith(ending):
            return run.removesuffix(ending), stage
    raise AssertionError(run)


def find_start(run: str) -> str | None:
    """The run that a run goes on from; None where it is a first stage."""
    first, stage = split_run(run)
    return first + list(STAGES)[stage - 1] if stage else None


def describe(arguments: argparse.Namespace, run: str) -> Experiment:
    """The recipe of a run on its data, with the settings that are tried."""
    first, stage = split_run(run)
    recipe, start = get_recipe(list(STAGES.values())[stage]), find_start(run)
    base = apply_settings(recipe, arguments.settings)
    if start is not None:
        weights = str(arguments.out / start / "last.safetensors")
        model = replace(base.model, weights=weights, replace_head=False)
        base = replace(base, model=model)
    folder = arguments.out / run
    root, seed = arguments.camvid, 0
    if first.startswith(WITHOUT):
        root = arguments.out / "data" / first
        leave_out(arguments.camvid, root, first.removeprefix(WITHOUT))
    else:
        seed = int(first.removeprefix("seed-"))
    seed += max(0, stage - 1)  # or the last two would draw the same crops
    epochs = base.optim.epochs if arguments.epochs is None else arguments.epochs
    return replace(
        base,
        data=replace(base.data, root=root, workers=arguments.workers),
        optim=replace(base.optim, epochs=epochs),
        eval=replace(base.eval, every=epochs),
        runtime=replace(
            base.runtime, out=folder, seed=seed, resume=(folder / "run.json").is_file()
        ),
    )


def train_once(arguments: argparse.Namespace, run: str) -> Experiment:
    """Train a run, and what it finishes before it, unless that is done."""
    experiment = describe(arguments, run)
    assert experiment.runtime.out is not None
    done = experiment.runtime.out / "done"
    if not done.is_file():
        start = find_start(run)
        if start is not None:
            train_once(arguments, start)
        train(experiment, observers=[make_display()])
        done.touch()
    return experiment


def measure(arguments: argparse.Namespace, run: str) -> dict[str, str]:
    """Train, fit the offsets, and measure both at the recipe's scales."""
    start = time.monotonic()
    experiment = train_once(arguments, run)
    folder, root = experiment.runtime.out, experiment.data.root
    assert folder is not None
    last, adjusted = folder / "last.safetensors", folder / "streetlite.safetensors"
    adjust(AdjustFlags("camvid", adjusted, root, weights=str(last), every=EVERY, overwrite=True))
    minutes = (time.monotonic() - start) / 60
    dataset = open_dataset("camvid", root, "val")
    plain = read_rows(folder / "epochs.csv")[-1]["miou"]
    scores = evaluate(load_model(adjusted), dataset).scores
    row = {
        "run": run,
        "trained_on": str(len(open_dataset("camvid", root, "train"))),
        "measured_on": str(len(dataset)),
        "epochs": str(experiment.optim.epochs),
        "minutes": f"{minutes:.1f}",
        "plain_miou": plain,
        "miou": f"{scores.miou:.4f}",
        "classes": str(scores.num_classes_averaged),
        "pixel_accuracy": f"{scores.pixel_accuracy:.4f}",
    }
    return row | {f"iou_{name}": f"{value:.4f}" for name, value in scores.iou.items()}


def format_results(rows: Sequence[dict[str, str]]) -> str:
    """A Markdown table of the runs, with mean and spread of either kind, and of their classes."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for row in sorted(rows, key=lambda row: row["run"]):
        kind = "sequences left out" if row["run"].startswith(WITHOUT) else "seeds"
        kind += list(STAGES)[split_run(row["run"])[1]].replace("-", ", ")
        kinds.setdefault(kind, []).append(row)
    if not kinds:
        return "no run is done yet"
    lines = [
        "| run | trained on | measured on | mIoU as trained | mIoU | pixel accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for kind, found in kinds.items():
        alone = [(row["run"], [row], row) for row in found]
        for name, some, row in [*alone, (f"mean over {kind}", found, None)]:
            counts = ["", ""] if row is None else [row["trained_on"], row["measured_on"]]
            shown = [show_spread(some, key) for key in KEYS]
            lines.append(f"| {' | '.join([name, *counts, *shown])} |")
    return "\n".join([*lines, "", *_list_classes(kinds)])


def _list_classes(kinds: dict[str, list[dict[str, str]]]) -> list[str]:
    """Each class over the runs that have it in what they are measured on."""
    first = next(iter(kinds.values()))[0]
    lines = [f"| IoU | {' | '.join(kinds)} |", "|---" * (1 + len(kinds)) + "|"]
    for key in [key for key in first if key.startswith("iou_")]:
        found = [[row for row in rows if row[key] != "nan"] for rows in kinds.values()]
        cells = [show_spread(rows, key) if rows else "" for rows in found]
        lines.append(f"| {key.removeprefix('iou_')} | {' | '.join(cells)} |")
    return lines


def main(words: list[str] | None = None) -> None:
    """Do the runs that are asked for and have no line yet, and print the table."""
    parser = make_parser()
    arguments = parser.parse_args(words)
    try:
        arguments.settings = read_settings(arguments.set)
        tries, name = arguments.out / TRIES, arguments.name
        if name is not None:
            arguments.out /= name
            if not arguments.table:
                require_same(arguments.out, arguments.settings, arguments.epochs)
        elif arguments.set:
            raise ValueError("--set is of a try; name it with --try.")
    except ValueError as error:
        parser.error(str(error))
    if not arguments.table:
        torch.set_num_threads(arguments.threads)
        do_runs(arguments, choose_runs(arguments, parser))
    print(format_results(read_rows(arguments.out / CSV)))
    if name is not None:
        if not arguments.table:
            finish_try(arguments, tries)
        print(f"\n{format_tries(tries)}")


def make_parser() -> argparse.ArgumentParser:
    """Of the command's words."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("camvid", type=Path, help="the folder of CamVid")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the csv")
    parser.add_argument("--only", nargs="+", help="some of the runs: seed-1, without-0006R0 ...")
    parser.add_argument("--epochs", type=int, help="of each stage, other than the recipe's")
    parser.add_argument("--workers", type=int, default=1, help="processes that load images")
    parser.add_argument("--threads", type=int, default=1, help="of a run")
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    parser.add_argument("--try", dest="name", help="name of a try, whose runs are in OUT/NAME")
    parser.add_argument("--set", nargs="+", default=[], help="its settings: data.degrade=0.5 ...")
    parser.add_argument("--stages", type=int, choices=(1, 2, 3), default=1, help="of its runs")
    return parser


def list_tried(arguments: argparse.Namespace) -> list[str]:
    """The runs of a try: a seed, and without each sequence."""
    ending = list(STAGES)[arguments.stages - 1]
    sequences = find_sequences(arguments.camvid)
    return [run + ending for run in (SEEDS[0], *(WITHOUT + name for name in sequences))]


def choose_runs(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """The runs that are asked for."""
    runs = [*SEEDS, *(WITHOUT + name for name in find_sequences(arguments.camvid))]
    runs = [run + ending for ending in STAGES for run in runs]
    if arguments.name is not None:
        runs = list_tried(arguments)
    unknown = sorted(set(arguments.only or []) - set(runs))
    if unknown:
        parser.error(f"there is no run {unknown[0]}; give some of {' '.join(runs)}.")
    return [run for run in runs if arguments.only is None or run in arguments.only]


def do_runs(arguments: argparse.Namespace, runs: Sequence[str]) -> None:
    """Train and measure those that have no line yet."""
    path = arguments.out / CSV
    for run in runs:
        if run not in {row["run"] for row in read_rows(path)}:
            add_row(path, measure(arguments, run))


def finish_try(arguments: argparse.Namespace, tries: Path) -> None:
    """Add a try's line, once all its runs have theirs; its weights of seed 0 are corrupted."""
    runs = list_tried(arguments)
    rows = [row for row in read_rows(arguments.out / CSV) if row["run"] in runs]
    label = arguments.name if arguments.stages == 1 else f"{arguments.name}, {arguments.stages}"
    if len(rows) < len(runs) or label in {row["try"] for row in read_rows(tries)}:
        return
    folder = arguments.out / runs[0]
    weights = folder / "streetlite.safetensors"
    kept = measure_kept(weights, arguments.camvid, folder / "corruptions")
    add_row(tries, make_line(label, arguments.settings, rows, kept))


if __name__ == "__main__":
    run_main(main)
