"""The page at the end of a fine-tuning: figures, curves, best and worst images, its use."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hierseg.data import OwnData, SegmentationDataset
from hierseg.evaluation import Evaluation, show_compared
from hierseg.files import read_text_file
from hierseg.finetuning.plan import Plan
from hierseg.finetuning.ranking import Ranked, Ranking
from hierseg.media import hex_colors
from hierseg.pages import (
    FOLDER,
    ClassFigures,
    Page,
    Section,
    Series,
    draw_curves,
    pick_color,
    render_charts,
    render_class_table,
    render_text,
    write_page,
)
from hierseg.wording import count

WORST, BEST = "lowest IoU", "highest IoU"


@dataclass(frozen=True)
class Shown:
    """What the page shows.

    Attributes:
        name: Name of the data.
        weights: The initial weights.
        understood: A description of the data, in lines.
        plan: The plan of the training.
        shares: Class -> share of the pixels that count, in [0, 1].
        training: The run folder of the training.
        command: The command that predicts with the result.
    """

    name: str
    weights: str
    understood: str
    plan: Plan
    shares: dict[str, float]
    training: Path
    command: str


def write_result_page(
    shown: Shown, result: Evaluation, dataset: SegmentationDataset, ranking: Ranking, out: Path
) -> Path:
    """Write ``out/index.html``."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    lists = {WORST: ranking.worst, BEST: ranking.best}
    records = {
        one.place: show_compared(dataset, one.place, one.labels, out, _facts(one, title))
        for title, ranked in lists.items()
        for one in ranked
    }
    scores = result.scores
    classes = count(scores.num_classes_averaged, "class", "classes")
    page = Page(
        title=f"{shown.name}, learnt from {shown.weights}",
        facts=[
            f"mIoU {scores.miou:.3f} over {classes}",
            f"{100 * scores.pixel_accuracy:.1f} % of pixels right",
            f"{count(result.images, 'image')} of {result.split}, which training did not see",
        ],
        notes=[
            "IoU is the overlap of truth and prediction over their union; mIoU its mean over the "
            "classes. Below the figures are the images with the lowest and the highest IoU."
        ],
        label_space=dataset.label_space,
        records=[records[one.place] for ranked in lists.values() for one in ranked],
        lists={
            title: [records[one.place].name for one in ranked]
            for title, ranked in lists.items()
            if ranked
        },
        sections=[
            Section("Use it", render_text(shown.command)),
            Section("Classes", _draw_classes(result, dataset, shown.shares)),
            Section("Training", _draw_training(shown.training)),
            Section(
                "Data and plan", render_text(f"{shown.understood}\n{shown.plan.describe()}", True)
            ),
        ],
    )
    return write_page(page, out)


def describe_shares(data: OwnData) -> dict[str, float]:
    """Class -> share of the pixels that count."""
    return {one.name: one.share for one in data.classes}


def _facts(one: Ranked, title: str) -> list[str]:
    return [f"among the {title}", f"mIoU {one.miou:.3f}", f"{one.wrong:,} wrong pixels"]


def _draw_classes(
    result: Evaluation, dataset: SegmentationDataset, shares: dict[str, float]
) -> str:
    scores, space = result.scores, dataset.label_space

    def show(value: float) -> str:
        return "-" if value != value else f"{value:.3f}"

    rows = [
        ClassFigures(
            name,
            color,
            None if scores.iou[name] != scores.iou[name] else scores.iou[name],
            (
                show(scores.precision[name]),
                show(scores.recall[name]),
                f"{100 * shares.get(name, 0.0):.2f} %",
            ),
        )
        for name, color in hex_colors(space).items()
    ]
    return render_class_table(rows, ["precision", "recall", "share of pixels"])


def _draw_training(folder: Path) -> str:
    """The losses of steps and epochs, and the mIoU of validation."""
    loss, steps = _read(folder / "epochs.csv", "loss"), _read(folder / "steps.csv", "loss")
    by_step = [Series("loss", pick_color(0), steps)] if len(steps) > 1 else []
    mious = _read(folder / "epochs.csv", "miou", "epoch")
    curve = [Series("mIoU", pick_color(2), mious)] if mious else []
    by_step = by_step or ([Series("loss", pick_color(0), loss)] if loss else [])
    return render_charts(
        [
            ("Loss in training", draw_curves(by_step, "step", "loss")),
            ("mIoU on val", draw_curves(curve, "epoch", "mIoU")),
        ]
    )


def _read(path: Path, key: str, over: str = "step") -> Sequence[tuple[float | str, float]]:
    """A column of a run's table over another; incomplete rows are skipped."""
    points: list[tuple[float | str, float]] = []
    if path.is_file():
        for row in csv.DictReader(read_text_file(path, "table of the run").splitlines()):
            try:
                points.append((float(row[over]), float(row[key])))
            except (KeyError, TypeError, ValueError):
                continue
    return [(x, y) for x, y in points if y == y]
