"""Runs Cityscapes' own evaluation (cityscapesScripts) and compares its figures with hierseg's."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hierseg.data import Palette, SegmentationDataset, is_file, is_plain_label_map, read_bytes
from hierseg.errors import MissingExtraError, UsageError, UserError
from hierseg.evaluation.formatting import format_percent, join_lines
from hierseg.evaluation.label_files import write_plain
from hierseg.evaluation.result import Evaluation
from hierseg.files import read_text_file
from hierseg.processes import child_command, child_environment

TOLERANCE = 1e-6
DRIVER = Path(__file__).with_name("official_driver.py")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OfficialScores:
    """The script's figures: fractions in [0, 1]; NaN for a class that does not occur.

    Attributes:
        iou: Class -> IoU.
        instance_iou: Class -> instance-weighted IoU (iIoU) of persons and vehicles; empty if the
            ground truth has no instance ids.
        miou, instance_miou: Their means over the classes that have one.
        category_iou: Category -> IoU.
        category_miou: Its mean.
    """

    iou: dict[str, float]
    instance_iou: dict[str, float]
    miou: float
    instance_miou: float
    category_iou: dict[str, float]
    category_miou: float

    def difference(self, ours: Evaluation) -> float:
        """The largest difference from hierseg's mIoU or IoU of a class; infinite if only one of the
        two is NaN.
        """
        pairs = [(self.iou[name], ours.scores.iou[name]) for name in ours.names]
        pairs.append((self.miou, ours.scores.miou))
        return max(_distance(a, b) for a, b in pairs)

    def to_json(self, ours: Evaluation) -> dict[str, Any]:
        """All figures as JSON, null for NaN, and the largest difference from hierseg's."""
        return {
            "per_class": {name: _nullable(value) for name, value in self.iou.items()},
            "per_class_instance": {n: _nullable(value) for n, value in self.instance_iou.items()},
            "miou": _nullable(self.miou),
            "instance_miou": _nullable(self.instance_miou),
            "per_category": {name: _nullable(value) for name, value in self.category_iou.items()},
            "category_miou": _nullable(self.category_miou),
            "largest_difference": _nullable(self.difference(ours)),
        }


def require_official(dataset: SegmentationDataset) -> None:
    """UsageError for another data set than Cityscapes; MissingExtraError without the package."""
    if dataset.name != "cityscapes":
        raise UsageError(
            f"--official runs Cityscapes' own evaluation, which is for cityscapes, not for "
            f"{dataset.name}; leave it out."
        )
    if importlib.util.find_spec("cityscapesscripts") is None:
        raise MissingExtraError("--official", "cityscapes")


def run_official(
    dataset: SegmentationDataset,
    predictions: Sequence[Path],
    on_progress: Progress | None = None,
    palette: Palette | None = None,
) -> OfficialScores:
    """Run the script on label maps of a split's first images.

    Args:
        dataset: A split of Cityscapes; its labels may be in an archive.
        predictions: Label maps in label ids, in the order of the split; ``check_label_files`` must
            have accepted them.
        on_progress: Called with (pairs done, pairs in all).
        palette: How to read a palette of greys in predictions.

    Raises:
        UserError: The script stopped; the message quotes it.
    """
    with tempfile.TemporaryDirectory(prefix="hierseg-official-") as name:
        folder = Path(name)
        truth, instances = _gather_truth(dataset, len(predictions), folder)
        job = {
            "predictions": _gather_predictions(dataset, predictions, folder, palette),
            "truth": [str(path) for path in truth],
            "instances": instances,
            "out": str(folder / "result.json"),
        }
        _run(job, len(predictions), on_progress)
        content = json.loads(read_text_file(folder / "result.json", "result of the script"))
    names = dataset.label_space.names
    weighted = content["classInstScores"] if instances else {}
    return OfficialScores(
        iou={name: float(content["classScores"][name]) for name in names},
        instance_iou={
            name: float(weighted[name])
            for name in names
            if not math.isnan(weighted.get(name, math.nan))
        },
        miou=float(content["averageScoreClasses"]),
        instance_miou=float(content["averageScoreInstClasses"]) if instances else math.nan,
        category_iou={k: float(v) for k, v in content["categoryScores"].items() if k != "void"},
        category_miou=float(content["averageScoreCategories"]),
    )


def _gather_truth(
    dataset: SegmentationDataset, count: int, folder: Path
) -> tuple[list[Path], bool]:
    """Copies of the ground truth, and whether all of it has instance ids."""
    labels = [sample.label for sample in dataset.samples[:count]]
    own = [label for label in labels if label is not None]
    beside = [p.with_name(p.name.replace("_labelIds", "_instanceIds")) for p in own]
    instances = all(path != p and is_file(path) for path, p in zip(beside, own, strict=True))
    copies = []
    for number, (label, ids) in enumerate(zip(own, beside, strict=True)):
        copy = folder / f"{number:06}_labelIds.png"
        write_plain(label, copy, dataset.label_space, dataset.palette)
        if instances:  # the script finds them by this name
            (folder / f"{number:06}_instanceIds.png").write_bytes(read_bytes(ids))
        copies.append(copy)
    return copies, instances


def _gather_predictions(
    dataset: SegmentationDataset, paths: Sequence[Path], folder: Path, palette: Palette | None
) -> list[str]:
    """The label maps; plain copies of those that the script would read otherwise than hierseg."""
    gathered = []
    for number, path in enumerate(paths):
        own = path
        if not is_plain_label_map(read_bytes(path)):
            own = folder / f"{number:06}_prediction.png"
            write_plain(path, own, dataset.label_space, palette)
        gathered.append(os.path.abspath(own))  # noqa: PTH100
    return gathered


def _run(job: dict[str, Any], count: int, on_progress: Progress | None) -> None:
    inherited = child_environment()
    environment = {k: v for k, v in inherited.items() if not k.startswith("CITYSCAPES_")}
    said: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        with subprocess.Popen(
            # The files beside the driver are no modules of the libraries that it imports, either.
            child_command(str(DRIVER)), env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            json.dump(job, process.stdin)
            process.stdin.close()
            for line in process.stdout:
                if not line.strip().isdigit():
                    said.append(line.strip())
                elif on_progress is not None:
                    on_progress(int(line), count)
        if process.returncode:
            errors.seek(0)
            lines = [*said, *errors.read().splitlines()]
            last = next((line for line in reversed(lines) if line.strip()), "nothing")
            raise UserError(
                f"Cityscapes' own evaluation stopped ({last.strip().rstrip('.')}); check the "
                "ground truth with `hierseg check`."
            )


def format_official(official: OfficialScores, ours: Evaluation) -> str:
    """A table: the script's IoU, hierseg's, their difference, and the script's iIoU."""
    width = max(map(len, ("class", *ours.names)))
    lines = [
        "Cityscapes' own evaluation (cityscapesScripts):",
        "",
        f"{'class':{width}}  {'official':>8}  {'ours':>6}  {'difference':>10}  {'iIoU':>6}",
    ]
    for name in [*ours.names, ""]:
        theirs = official.iou[name] if name else official.miou
        own = ours.scores.iou[name] if name else ours.scores.miou
        weighted = official.instance_iou.get(name, math.nan) if name else official.instance_miou
        difference = _distance(theirs, own)
        shown = "-" if math.isnan(theirs) and math.isnan(own) else f"{difference:.1e}"
        lines.append(
            f"{name or 'mean':{width}}  {format_percent(theirs):>8}  {format_percent(own):>6}  "
            f"{shown:>10}  {format_percent(weighted):>6}"
        )
    lines += ["", f"mean over categories: {format_percent(official.category_miou)}"]
    if not official.instance_iou:
        lines.append("no iIoU: the ground truth has no *_instanceIds.png beside *_labelIds.png")
    lines.append(f"largest difference {official.difference(ours):.1e}, {TOLERANCE:g} is allowed")
    return join_lines(lines)


def _distance(first: float, second: float) -> float:
    if math.isnan(first) and math.isnan(second):
        return 0.0
    distance = abs(first - second)
    return math.inf if math.isnan(distance) else distance


def _nullable(value: float) -> float | None:
    return value if math.isfinite(value) else None
