"""The demonstration: draw, segment, compare with the truth, and show all of it on a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from hierseg.checkpoint import DEFAULT_WEIGHTS
from hierseg.demo.scenes import DEMO_SEED, DemoScene, draw_scenes, name_scene
from hierseg.demo.scenes import FOLDER as SCENES
from hierseg.errors import UserError
from hierseg.files import FolderLock
from hierseg.inference import Predictor
from hierseg.jobs import FILE as SUMMARY
from hierseg.jobs import LEGEND, RunSettings, Summary, list_outputs, run_folder
from hierseg.labels import CITYSCAPES
from hierseg.media import read_image, render_errors, write_picture
from hierseg.metrics import ConfusionMatrix, SegmentationScores
from hierseg.ownership import FileRecord
from hierseg.pages import FILE as PAGE
from hierseg.pages import (
    FOLDER,
    ImageRecord,
    Page,
    Panel,
    list_panels,
    write_overlay_panel,
    write_page,
)
from hierseg.size import Size
from hierseg.wording import count

SAVE = ("overlay", "color", "labels", "ids", "attention")


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration made.

    Attributes:
        page: The page.
        scores: Measures over all scenes together.
    """

    page: Path
    scores: SegmentationScores


def run_demo(
    predictor: Predictor,
    out: Path,
    count: int = 12,
    size: Size = Size(256, 512),
    seed: int = DEMO_SEED,
    weights: str = "",
    console: Console | None = None,
    overwrite: bool = False,
) -> DemoResult:
    """Draw scenes, segment them, and write ``out/index.html`` with the truth beside each.

    Args:
        predictor: Of a network with Cityscapes' classes, and with ``keep_scales``.
        out: Folder of the demonstration; an earlier one there is done over.
        count: Number of scenes.
        size: Size of a scene.
        seed: Seed of the scenes.
        weights: The weights' name, for the page.
        console: For progress; None for none.
        overwrite: Replace files that no earlier demonstration has written.

    Raises:
        UsageError: ``out`` holds such files under the names of the demonstration's.
        UserError: The network has other classes than the scenes, or another run writes there.
    """
    if predictor.label_space.names != CITYSCAPES.names:
        raise UserError(
            f"the demonstration's scenes have Cityscapes' classes, and the weights those of "
            f"'{predictor.label_space.name}'; choose other --weights."
        )
    with FolderLock(out):
        _claim(predictor, out, count, overwrite)
        drawing: Iterable[DemoScene] = draw_scenes(out, count, size, seed)
        if console is not None:
            drawing = track(drawing, "drawing", count, console=console, transient=True)
        scenes = list(drawing)
    settings = RunSettings(save=SAVE, overwrite=True, weights=weights)
    matrix = ConfusionMatrix(CITYSCAPES.num_classes, CITYSCAPES.ignore)

    def finish(summary: Summary) -> None:
        records = [
            _compare(record, scene, out, matrix)
            for record, scene in zip(summary.records.values(), scenes, strict=True)
        ]
        scores = matrix.scores(CITYSCAPES.names)
        page = Page(
            title="Miniature Streets, segmented",
            facts=_facts(predictor, summary, scores),
            label_space=predictor.label_space,
            records=records,
            notes=_notes(scores, seed),
        )
        write_page(page, out)

    run_folder(predictor, [scene.image for scene in scenes], out, settings, console, finish)
    return DemoResult(out / PAGE, matrix.scores(CITYSCAPES.names))


def _claim(predictor: Predictor, out: Path, count: int, overwrite: bool) -> None:
    """Have all files of the demonstration down as its own; UsageError for those of others."""
    written = FileRecord(out, "demo")
    scales = predictor.scales
    names = [name_scene(index) for index in range(count)]
    files = [PAGE, LEGEND, SUMMARY, *(f"{SCENES}/{name}.png" for name in names)]
    for name in names:
        files += [*list_outputs(name, SAVE, scales), *list_panels(name, SAVE, scales)]
        files += [f"{FOLDER}/{name}_{kind}.jpg" for kind in ("truth", "errors")]
    written.require(files, "--out", overwrite)
    written.add(*files)


def _compare(
    record: ImageRecord, scene: DemoScene, out: Path, total: ConfusionMatrix
) -> ImageRecord:
    """Count a scene's written label file against the truth, and show both on the page."""
    predicted = cv2.imread(str(out / f"{record.name}_labels.png"), cv2.IMREAD_UNCHANGED)
    assert predicted is not None
    labels = np.asarray(predicted, np.uint8)
    own = ConfusionMatrix(total.num_classes, total.ignore)
    own.update(labels, scene.truth)
    total.merge(own)
    scores = own.scores(CITYSCAPES.names)
    image = read_image(scene.image)
    truth = write_overlay_panel(image, scene.truth, CITYSCAPES, out, f"{record.name}_truth")
    errors = write_picture(
        out / FOLDER / f"{record.name}_errors.jpg",
        render_errors(image, labels, scene.truth, CITYSCAPES.ignore),
    )
    shown, attention = record.panels[:2], record.panels[2:]
    return dataclasses.replace(
        record,
        panels=[
            *shown,
            Panel("truth", "truth", truth.relative_to(out).as_posix()),
            *attention,
            Panel("errors", "wrong pixels", errors.relative_to(out).as_posix()),
        ],
        facts=[f"mIoU {scores.miou:.2f}", f"{scores.pixel_accuracy * 100:.1f} % of pixels right"],
    )


def _facts(predictor: Predictor, summary: Summary, scores: SegmentationScores) -> Sequence[str]:
    scales = " ".join(f"{scale:g}" for scale in summary.settings["scales"])
    classes = count(scores.num_classes_averaged, "class", "classes")
    return [
        count(len(summary.records), "scene"),
        f"weights {summary.about['weights']}",
        f"scales {scales}" + (", with mirror image" if predictor.flip else ""),
        f"mIoU {scores.miou:.3f} over {classes}",
        f"{scores.pixel_accuracy * 100:.1f} % of pixels right",
    ]


def _notes(scores: SegmentationScores, seed: int) -> Sequence[str]:
    iou = sorted(
        ((name, value) for name, value in scores.iou.items() if value == value),  # not NaN
        key=lambda item: -item[1],
    )
    return [
        f"The scenes are the first of those that `hierseg streets --seed {seed}` draws, a seed "
        "kept for this page: the packaged weights were trained on others. They are as simple as "
        "what the network was trained on, and the figures say nothing about photographs. For those "
        f"there is {DEFAULT_WEIGHTS}, trained on real streets: `hierseg predict PICTURES --out "
        "masks` segments your own.",
        "IoU of each class over all scenes: "
        + ", ".join(f"{name} {value:.2f}" for name, value in iou)
        + ". A scene's own mIoU is the mean over the classes in that scene.",
        "Attention is bright where the prediction at that scale decides, and dark where the "
        "larger scale does.",
    ]
