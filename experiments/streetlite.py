"""The model in the box: three seeds of its training, and without each sequence of CamVid once.

    python experiments/streetlite.py CAMVID --out runs/streetlite

`seed-0` to `seed-2` train on train and are measured on val; `without-0016E5` and so on, for each
sequence that the frames' names begin with, train on the frames of train and val of all others and
are measured on those of the sequence: val is a part of a drive whose other parts are in train, so
what the model is worth on a street that it has not seen is the second figure.

A run is `hierseg train streetlite`, whose last weights count, as the best ones would be chosen on
what they are measured by, and `hierseg adjust` on every fourth frame that it was trained on; the
last stage and what is trained at once are not adjusted.
`seed-0-finished` goes on from there with `streetlite-finish`, and `seed-0-polished` from there with
`streetlite-polish`; each is adjusted in turn, and `OUT/seed-0-polished/streetlite.safetensors` is
what was in the package as the first edition.

The second edition goes on: `weathered` is `streetlite-weather` from `seed-0-polished`, with scenes
of `--streets STREETS`, and `cleared-0` is `streetlite-clear` from there; `cleared-1` and
`cleared-2` are that last stage with other seeds. `once-without-0016E5` and so on have the degraded
frames and the drawn scenes of `weathered`, and Lovász-softmax, from the first step on: one training
of 18 epochs from streets-lite0, without a sequence. The scenes are those of

    hierseg streets --out STREETS --count 1500 --size 360x480 --val-fraction 0.02

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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

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
WEATHERED = "weathered"
LAST = "cleared-"
ONCE = "once-without-"
ONCE_SETTINGS: dict[str, object] = {
    "data.degrade": 0.5,
    "loss.lovasz_weight": 1.5,
    "optim.epochs": 18,
}
DRAWN = Path(__file__).parents[1] / "examples" / "data" / "streets-as-camvid.yaml"
DRAWN_SHARE = 0.15
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


class Plan(NamedTuple):
    """What a run is.

    Attributes:
        kind: Runs whose mean the table gives.
        recipe: Its name.
        start: The run whose weights it begins with; None for those of the recipe.
        seed: Of its training.
        without: The sequence that is left out.
        settings: What differs from the recipe.
        drawn: Whether drawn scenes are a share of every epoch.
        adjusted: Whether offsets are fitted; otherwise both figures are of the weights as trained.
    """

    kind: str
    recipe: str
    start: str | None = None
    seed: int = 0
    without: str | None = None
    settings: Mapping[str, object] = {}
    drawn: bool = False
    adjusted: bool = True


def plan(run: str) -> Plan:
    """What a run of this name is."""
    left_out = "sequences left out"
    if run == WEATHERED:
        return Plan(run, "streetlite-weather", f"{SEEDS[0]}-polished", drawn=True)
    if run.startswith(LAST):
        seed = int(run.removeprefix(LAST))
        kind = "seeds of the last stage"
        return Plan(kind, "streetlite-clear", WEATHERED, seed, adjusted=False)
    if run.startswith(ONCE):
        sequence, kind = run.removeprefix(ONCE), f"{left_out}, one training"
        return Plan(kind, "streetlite", None, 0, sequence, ONCE_SETTINGS, True, adjusted=False)
    stage = max(place for place, ending in enumerate(STAGES) if run.endswith(ending))
    ending = list(STAGES)[stage]
    first = run.removesuffix(ending)
    start = first + list(STAGES)[stage - 1] if stage else None
    later = max(0, stage - 1)  # or the last two would draw the same crops
    kind = (left_out if first.startswith(WITHOUT) else "seeds") + ending.replace("-", ", ")
    if first.startswith(WITHOUT):
        return Plan(kind, STAGES[ending], start, later, first.removeprefix(WITHOUT))
    return Plan(kind, STAGES[ending], start, later + int(first.removeprefix("seed-")))


def describe(arguments: argparse.Namespace, run: str) -> Experiment:
    """The recipe of a run on its data, with the settings that are tried."""
    planned = plan(run)
    settings = {**planned.settings, **arguments.settings}
    if planned.drawn:
        settings["data.also"], settings["data.also_root"] = str(DRAWN), str(arguments.streets)
        settings["data.also_share"] = DRAWN_SHARE
    base = apply_settings(get_recipe(planned.recipe), settings)
    if planned.start is not None:
        weights = str(arguments.out / planned.start / "last.safetensors")
        model = replace(base.model, weights=weights, replace_head=False)
        base = replace(base, model=model)
    folder, root, seed = arguments.out / run, arguments.camvid, planned.seed
    if planned.without is not None:
        root = arguments.out / "data" / f"{WITHOUT}{planned.without}"
        leave_out(arguments.camvid, root, planned.without)
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
        start = plan(run).start
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
    weights = folder / "last.safetensors"
    if plan(run).adjusted:
        last, weights = str(weights), folder / "streetlite.safetensors"
        adjust(AdjustFlags("camvid", weights, root, weights=last, every=EVERY, overwrite=True))
    minutes = (time.monotonic() - start) / 60
    dataset = open_dataset("camvid", root, "val")
    plain = read_rows(folder / "epochs.csv")[-1]["miou"]
    scores = evaluate(load_model(weights), dataset).scores
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
        kinds.setdefault(plan(row["run"]).kind, []).append(row)
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
    parser.add_argument("--streets", type=Path, help="scenes, for the runs that draw from them")
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
    sequences = find_sequences(arguments.camvid)
    runs = [*SEEDS, *(WITHOUT + name for name in sequences)]
    runs = [run + ending for ending in STAGES for run in runs]
    if arguments.streets is not None:
        runs += [WEATHERED, *(LAST + seed.removeprefix("seed-") for seed in SEEDS)]
        runs += [ONCE + name for name in sequences]
    if arguments.name is not None:
        runs = list_tried(arguments)
    unknown = sorted(set(arguments.only or []) - set(runs))
    if unknown and unknown[0].startswith((WEATHERED, LAST, ONCE)) and arguments.streets is None:
        parser.error(f"{unknown[0]} draws from scenes; name their folder with --streets.")
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
