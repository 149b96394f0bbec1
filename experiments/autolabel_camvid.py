"""Auto-labelling on real frames: CamVid with a third of its labels (METHOD section 7).

    python experiments/autolabel_camvid.py CAMVID --out runs/loop

takes every third frame of train with its labels, and for each seed trains on

    third   that third alone;
    both    that third, and the other frames as the model of `third` has labelled them;
    all     all labels,

each for the same number of steps, at half size, and measures the last weights on val. Every run
adds its line to `OUT/autolabel_camvid.csv`, and one that has its line is not done again, so the
same command goes on where it was interrupted; `--only both --seeds 1` does one run (`both` needs
the weights of `third` of its seed, and trains them where they are not). `--table` prints the table
of what is there in Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import torch
from rich.console import Console

from ending import run_main
from hierseg.assembly.parts import build_datasets
from hierseg.autolabel.labelling import autolabel
from hierseg.autolabel.summary import AutoSummary
from hierseg.checkpoint.load import load_model
from hierseg.config import Experiment
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.result import Evaluation
from hierseg.inference.predictor import Predictor
from hierseg.recipes import get_recipe
from hierseg.size import Size
from hierseg.training import make_display, train
from run_rows import add_row, read_rows, show_spread

RUNS = ("third", "both", "all")
MEANING = {
    "third": "a third of the labels",
    "both": "a third, the rest auto-labelled",
    "all": "all labels",
}
CSV = "autolabel_camvid.csv"
THIRD = 3


def prepare(camvid: Path, out: Path) -> None:
    """Write the frames at half size: ``third`` and ``all`` with labels, ``rest`` without."""
    for split in ("train", "val"):
        dataset = open_dataset("camvid", camvid, split)
        for number, sample in enumerate(sorted(dataset.samples, key=lambda s: s.name)):
            assert sample.label is not None
            chosen = split == "val" or number % THIRD == 0
            image = cv2.imread(str(sample.image), cv2.IMREAD_COLOR)
            labels = cv2.imread(str(sample.label), cv2.IMREAD_UNCHANGED)
            assert image is not None
            assert labels is not None
            size = (image.shape[1] // 2, image.shape[0] // 2)
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
            for part in ("third", "all") if chosen else ("rest", "all"):
                _write(out / part / split / f"{sample.name}.png", image)
                if part != "rest":
                    _write(out / part / f"{split}annot" / f"{sample.name}.png", labels)


def _write(path: Path, pixels: cv2.typing.MatLike) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        assert cv2.imwrite(str(path), pixels)


def describe(arguments: argparse.Namespace, which: str, seed: int) -> Experiment:
    """The recipe on the data of a run, for as many epochs as make the same number of steps."""
    base = get_recipe("camvid-lite0-auto" if which == "both" else "camvid-lite0")
    frames = arguments.out / "data"
    data = replace(
        base.data,
        root=frames / ("all" if which == "all" else "third"),
        crop=arguments.crop,
        batch=arguments.batch,
        workers=arguments.workers,
    )
    if which == "both":
        labels = arguments.out / f"labels-{seed}"
        data = replace(data, auto_root=labels, auto_threshold=arguments.threshold)
    images = len(list((frames / ("third" if which == "third" else "all") / "train").glob("*.png")))
    steps = max(1, images // arguments.batch)
    epochs = max(1, round(arguments.steps / steps))
    folder = arguments.out / f"{which}-{seed}"
    return replace(
        base,
        data=data,
        optim=replace(base.optim, epochs=epochs, warmup_steps=min(100, arguments.steps // 10)),
        eval=replace(base.eval, every=epochs),
        runtime=replace(
            base.runtime, out=folder, seed=seed, resume=(folder / "run.json").is_file()
        ),
    )


def train_once(arguments: argparse.Namespace, which: str, seed: int) -> Path:
    """The last weights of a run, trained unless they are there; with their auto-labels before."""
    experiment = describe(arguments, which, seed)
    folder = experiment.runtime.out
    assert folder is not None
    done = folder / "done"
    if not done.is_file():
        train(experiment, observers=[make_display()])
        done.touch()
    return folder / "last.safetensors"


def label_rest(arguments: argparse.Namespace, seed: int) -> AutoSummary:
    """Label the frames without labels by the model of the third."""
    network = load_model(train_once(arguments, "third", seed))
    rest = arguments.out / "data" / "rest"
    dataset = open_dataset("camvid", rest, "train", keep_unpaired=True)
    out = arguments.out / f"labels-{seed}"
    return autolabel(
        Predictor(network), dataset, out, threshold=arguments.threshold, root=rest,
        console=Console(stderr=True),
    )  # fmt: skip


def run(arguments: argparse.Namespace, which: str, seed: int) -> dict[str, str]:
    """Train, and measure the last weights: the best ones would be chosen on val itself."""
    start = time.monotonic()
    summary = label_rest(arguments, seed) if which == "both" else None
    weights = train_once(arguments, which, seed)
    seconds = time.monotonic() - start
    experiment = describe(arguments, which, seed)
    data = build_datasets(experiment)
    result = evaluate(load_model(weights), data.val, experiment.eval.scales)
    images = len(data.train) + sum(map(len, data.extra))
    return {
        "run": which,
        "seed": str(seed),
        "steps": str(images // arguments.batch * experiment.optim.epochs),
        "labelled": str(len(data.train)),
        "auto_labelled": str(sum(map(len, data.extra))),
        "kept": "" if summary is None else f"{summary.kept:.4f}",
        "minutes": f"{seconds / 60:.1f}",
        **_list_scores(result),
    }


def _list_scores(result: Evaluation) -> dict[str, str]:
    scores = result.scores
    ious = {f"iou_{name}": f"{value:.4f}" for name, value in scores.iou.items()}
    return {"miou": f"{scores.miou:.4f}", "pixel_accuracy": f"{scores.pixel_accuracy:.4f}"} | ious


def format_results(rows: Sequence[dict[str, str]]) -> str:
    """A Markdown table of mean and spread over the seeds, in per cent, and the classes below."""
    if not rows:
        return "no run is done yet"
    names = [key.removeprefix("iou_") for key in rows[0] if key.startswith("iou_")]
    lines = [
        "| trained on | labelled | auto-labelled | steps | seeds | mIoU | pixel accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    done = {which: [row for row in rows if row["run"] == which] for which in RUNS}
    done = {which: found for which, found in done.items() if found}
    for which, found in done.items():
        first = found[0]
        cells = [MEANING[which], first["labelled"], first["auto_labelled"], first["steps"]]
        cells += [str(len(found)), show_spread(found, "miou"), show_spread(found, "pixel_accuracy")]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| IoU | {' | '.join(MEANING[which] for which in done)} |"]
    lines.append("|---" * (1 + len(done)) + "|")
    for name in names:
        cells = [show_spread(found, f"iou_{name}") for found in done.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Do the runs that are asked for and have no line yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("camvid", type=Path, help="the folder of CamVid")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the csv")
    parser.add_argument("--only", choices=RUNS, nargs="+", default=RUNS, help="some of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=300, help="of each run")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=Size.parse, default=Size(176, 240))
    parser.add_argument("--threshold", type=float, default=0.5, help="of the auto-labels")
    parser.add_argument("--workers", type=int, default=1, help="processes that load images")
    parser.add_argument("--threads", type=int, default=1, help="of a run")
    parser.add_argument("--table", action="store_true", help="print the table and do nothing else")
    arguments = parser.parse_args(words)
    path = arguments.out / CSV
    if not arguments.table:
        torch.set_num_threads(arguments.threads)
        prepare(arguments.camvid, arguments.out / "data")
        for seed in arguments.seeds:
            for which in RUNS:
                done = {(row["run"], row["seed"]) for row in read_rows(path)}
                if which in arguments.only and (which, str(seed)) not in done:
                    add_row(path, run(arguments, which, seed))
    print(format_results(read_rows(path)))


if __name__ == "__main__":
    run_main(main)
