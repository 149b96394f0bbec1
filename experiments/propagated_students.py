"""What a small network learns from propagated labels, on drawn clips (METHOD section 8).

    python experiments/propagated_students.py --out runs/students

draws clips of thirty frames, takes the labels of two frames of each clip that is trained on, one
in fifteen, and propagates them over five frames before and after by `hierseg propagate`: DIS, and
labels that fail its check are taken out. For each seed it trains on

    labelled   those two frames of each clip alone;
    joint      those, and the moved images with the moved labels;
    labels     those, and the real frames with the moved labels;
    exact      the same frames as `labels`, with their exact labels: what could be gained at most.

All have equally many images, as the labelled frames alone are repeated as often as the others have
frames for each; every image is drawn equally often, and steps are equally many, so that nothing but
images and labels is different. (Crops around classes, as `--data.extra propagated` draws them,
would change what is drawn too.) The last weights are measured on all frames of the clips that are
held out. Every run adds its line to `OUT/propagated_students.csv`, and one that has its line is not
done again, so the same command goes on where it was interrupted; `--only joint --seeds 1` does one
run. `--table` prints the table of what is there in Markdown.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ending import run_main
from hierseg.assembly import build_datasets
from hierseg.checkpoint import load_model
from hierseg.commands.propagate import propagate
from hierseg.commands.streets import streets
from hierseg.config import Experiment
from hierseg.data import SegmentationDataset, open_dataset
from hierseg.evaluation import evaluate
from hierseg.recipes import get_recipe
from hierseg.size import Size
from hierseg.training import make_display, train
from run_rows import add_row, read_rows, show_spread

RUNS = ("labelled", "joint", "labels", "exact")
MEANING = {
    "labelled": "labelled frames alone",
    "joint": "and joint-propagated ones",
    "labels": "and real ones with propagated labels",
    "exact": "and real ones with exact labels",
}
CSV = "propagated_students.csv"
FRAMES, LABELLED = 30, (7, 22)
IMAGE, LABEL = "_leftImg8bit.png", "_gtFine_labelIds.png"
MODES: tuple[Literal["joint", "labels"], ...] = ("joint", "labels")


class Pairs:
    """Images and label maps in Cityscapes' layout, below two folders."""

    def __init__(self, images: Path, labels: Path) -> None:
        self.images, self.labels = images, labels

    def names(self, split: str) -> Iterator[str]:
        """``CITY/STEM`` of all images of a split."""
        for path in sorted((self.images / split).glob(f"*/*{IMAGE}")):
            yield f"{path.parent.name}/{path.name.removesuffix(IMAGE)}"

    def copy(self, name: str, source: str, target: Pairs, split: str, again: int = 0) -> None:
        """Copy a pair of the split ``source``, under a name of its own for each time."""
        city, stem = name.split("/")
        written = f"again{again}/{stem}-{again}" if again else f"{city}/{stem}"
        for mine, other, ending in (
            (self.images, target.images, IMAGE),
            (self.labels, target.labels, LABEL),
        ):
            path = other / split / f"{written}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(mine / source / f"{name}{ending}", path)


def prepare(arguments: argparse.Namespace) -> None:
    """Draw the clips, propagate, and lay out what each run trains on, and what they are measured
    on.
    """
    out, done = arguments.out, arguments.out / "prepared"
    if done.is_file():
        return
    clips = out / "clips"
    held_out = round(arguments.held_out / arguments.clips, 4)
    streets(clips, arguments.clips, arguments.size, arguments.seed, held_out, clip=FRAMES)
    every = Pairs(clips / "leftImg8bit_sequence", clips / "gtFine_sequence")
    chosen = out / "chosen"
    few = Pairs(chosen / "leftImg8bit_sequence", chosen / "gtFine")
    for name in every.names("train"):
        number = int(name.rpartition("_")[2])
        if any(abs(number - labelled) <= arguments.steps for labelled in LABELLED):
            every.copy(name, "train", few, "train")
        if number not in LABELLED:
            (few.labels / "train" / f"{name}{LABEL}").unlink(missing_ok=True)
    for mode in MODES:
        folder = out / "data" / mode
        propagate(folder, "cityscapes", chosen, steps=arguments.steps, mode=mode, workers=1)
    lay_out(out / "data", every)
    done.touch()


def lay_out(data: Path, every: Pairs) -> None:
    """The other training sets, all of as many images, and the splits for validation."""
    joint, labelled, exact, held_out = (
        Pairs(data / name / "leftImg8bit", data / name / "gtFine")
        for name in ("joint", "labelled", "exact", "held-out")
    )
    names = list(joint.names("train"))
    alone = [name for name in names if int(name.rpartition("_")[2]) in LABELLED]
    for name in names:
        every.copy(name, "train", exact, "train")
    for name in alone:
        for again in range(len(names) // len(alone)):
            every.copy(name, "train", labelled, "train", again)
    tests = list(every.names("val"))
    for name in tests:
        every.copy(name, "val", held_out, "val")
    for run in RUNS:  # a run asks for a validation split: a frame of each clip, to look at
        target = Pairs(data / run / "leftImg8bit", data / run / "gtFine")
        for name in tests[FRAMES // 2 :: FRAMES]:
            every.copy(name, "val", target, "val")


def describe(arguments: argparse.Namespace, which: str, seed: int) -> Experiment:
    """The recipe on the data of a run."""
    base = get_recipe("streets-lite0")
    folder = arguments.out / "runs" / f"{which}-{seed}"
    return replace(
        base,
        data=replace(
            base.data,
            root=arguments.out / "data" / which,
            crop=arguments.crop,
            batch=arguments.batch,
            workers=0,
        ),
        optim=replace(base.optim, epochs=arguments.epochs, warmup_steps=arguments.warm_up),
        eval=replace(base.eval, every=arguments.epochs),
        runtime=replace(
            base.runtime, out=folder, seed=seed, resume=(folder / "run.json").is_file()
        ),
    )


def run(arguments: argparse.Namespace, which: str, seed: int) -> dict[str, str]:
    """Train, and measure the last weights."""
    start = time.monotonic()
    experiment = describe(arguments, which, seed)
    folder = experiment.runtime.out
    assert folder is not None
    if not (folder / "done").is_file():
        train(experiment, observers=[make_display()])
        (folder / "done").touch()
    seconds = time.monotonic() - start
    images = build_datasets(experiment).train
    held_out = open_dataset("cityscapes", arguments.out / "data" / "held-out", "val")
    result = evaluate(load_model(folder / "last.safetensors"), held_out, experiment.eval.scales)
    scores = result.scores
    ious = {f"iou_{name}": f"{value:.4f}" for name, value in scores.iou.items()}
    return {
        "run": which,
        "seed": str(seed),
        "images": str(len(images)),
        "kept": f"{share_labelled(images):.4f}",
        "steps": str(len(images) // arguments.batch * arguments.epochs),
        "frames": str(result.images),
        "minutes": f"{seconds / 60:.1f}",
        "miou": f"{scores.miou:.4f}",
        "pixel_accuracy": f"{scores.pixel_accuracy:.4f}",
        **ious,
    }


def share_labelled(dataset: SegmentationDataset) -> float:
    """Share of the pixels that have a class."""
    maps = [dataset.read(index).labels for index in range(len(dataset))]
    ignore = dataset.label_space.ignore
    return float(np.mean([(labels != ignore).mean() for labels in maps if labels is not None]))


def format_results(rows: Sequence[dict[str, str]]) -> str:
    """A Markdown table of mean and spread over the seeds, in per cent, and the classes below."""
    if not rows:
        return "no run is done yet"
    names = [key.removeprefix("iou_") for key in rows[0] if key.startswith("iou_")]
    lines = [
        "| trained on | images | pixels labelled | steps | seeds | mIoU | pixel accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    done = {which: [row for row in rows if row["run"] == which] for which in RUNS}
    done = {which: found for which, found in done.items() if found}
    for which, found in done.items():
        first = found[0]
        cells = [MEANING[which], first["images"], f"{100 * float(first['kept']):.1f} %"]
        cells += [first["steps"], str(len(found))]
        cells += [show_spread(found, "miou"), show_spread(found, "pixel_accuracy")]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| IoU | {' | '.join(done)} |", "|---" * (1 + len(done)) + "|"]
    for name in names:
        cells = [show_spread(found, f"iou_{name}") for found in done.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Do the runs that are asked for and have no line yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--only", choices=RUNS, nargs="+", default=RUNS, help="some of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--clips", type=int, default=22, help="in all")
    parser.add_argument("--held-out", type=int, default=6, help="of them, to measure on")
    parser.add_argument("--size", type=Size.parse, default=Size(128, 256), help="of the frames")
    parser.add_argument("--seed", type=int, default=7300, help="of the clips")
    parser.add_argument("--steps", type=int, default=5, help="of propagation, at most 7")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--warm-up", type=int, default=40, help="steps")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=Size.parse, default=Size(128, 256))
    parser.add_argument("--threads", type=int, default=1, help="of a run")
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    arguments = parser.parse_args(words)
    path = arguments.out / CSV
    if not arguments.table:
        torch.set_num_threads(arguments.threads)
        prepare(arguments)
        for seed in arguments.seeds:
            for which in RUNS:
                done = {(row["run"], row["seed"]) for row in read_rows(path)}
                if which in arguments.only and (which, str(seed)) not in done:
                    add_row(path, run(arguments, which, seed))
    print(format_results(read_rows(path)))


if __name__ == "__main__":
    run_main(main)
