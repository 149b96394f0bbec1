"""The measures of `hierseg evaluate` besides mIoU: boundaries, calibration and corruptions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hierseg.commands.places import write_result
from hierseg.errors import UsageError
from hierseg.ownership import require_own_png
from hierseg.processes import own_rank

if TYPE_CHECKING:
    from hierseg.commands.official import Official
    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import BoundaryWatcher, CalibrationWatcher, Evaluation, PortableWatcher

    Measure = Callable[[SegmentationDataset, Callable[[int, int], None]], Evaluation]

RELIABILITY = "reliability.png"


@dataclass(frozen=True)
class MeasureFlags:
    """Measures of `hierseg evaluate` besides mIoU."""

    official: bool = False
    """Also run Cityscapes' own evaluation script on the same label maps, and compare."""
    table: Literal["short", "full"] = "short"
    """full adds true positives (pixels), and false positives and false negatives as multiples of
    them."""
    per_scale: bool = False
    """Also measure the IoU of each scale's logits alone, in the same run."""
    boundary: bool = False
    """Also measure Boundary IoU, and the boundary F-score within 3, 5, 9 and 12 pixels."""
    calibration: bool = False
    """Also measure the expected calibration error, without and with the stored temperature."""
    corruptions: tuple[str, ...] | None = None
    """Also measure mIoU under corruptions, at three severities each. Name some of gaussian-noise,
    shot-noise, defocus-blur, motion-blur, jpeg, brightness, contrast, fog, rain, night and
    occlusion; without names, all of them."""


PLAIN = MeasureFlags()


class Measures:
    """The measures that were asked for.

    Args:
        flags: The flags; corruptions without names are all of them.
        out: Folder of pictures and of corruptions.json.
        with_network: Whether a network is run. Label maps have no confidence and cannot be
            corrupted.
        overwrite: Replace files that no earlier run has written.

    Raises:
        UsageError: There is no such corruption, or a measure needs a network.
    """

    def __init__(
        self, flags: MeasureFlags, out: Path, with_network: bool = True, overwrite: bool = False
    ) -> None:
        self.flags, self.out, self.overwrite = flags, out, overwrite
        self.corruptions: tuple[str, ...] = ()
        for flag, asked in (
            ("--per-scale", flags.per_scale),
            ("--calibration", flags.calibration),
            ("--corruptions", flags.corruptions is not None),
        ):
            if asked and not with_network:
                raise UsageError(
                    f"{flag} is for a network, and --predictions has none; leave it out."
                )
        if flags.corruptions is not None:
            from hierseg.evaluation import choose_corruptions

            self.corruptions = choose_corruptions(flags.corruptions)
        self.writes = flags.calibration or bool(self.corruptions)
        self.content: dict[str, Any] = {}
        self._official: Official | None = None
        self._borders: BoundaryWatcher | None = None
        self._confidence: CalibrationWatcher | None = None

    def watch(
        self, dataset: SegmentationDataset, weights: str | None, official: Official
    ) -> list[PortableWatcher]:
        """The watchers of an evaluation, which see each image.

        Raises:
            OSError: The folder of pictures cannot be made.
            UserError: The folder holds figures of corruptions of another split or other weights.
        """
        self._official = official
        watchers = list(official.watchers)
        if self.writes:  # before a long run, not after it
            self.out.mkdir(parents=True, exist_ok=True)
        if self.flags.calibration:
            require_own_png("--out", self.out / RELIABILITY, "evaluate", self.overwrite)
        if self.corruptions:
            from hierseg.evaluation import check_folder

            check_folder(self.out, dataset, _digest(weights), overwrite=self.overwrite)
        if self.flags.boundary:
            from hierseg.evaluation import BoundaryWatcher

            self._borders = BoundaryWatcher(dataset)
            watchers.append(self._borders)
        if self.flags.calibration:
            from hierseg.checkpoint import open_weights
            from hierseg.evaluation import CalibrationWatcher

            self._confidence = CalibrationWatcher(dataset, open_weights(weights).temperature)
            watchers.append(self._confidence)
        return watchers

    def finish(
        self, measure: Measure, dataset: SegmentationDataset, result: Evaluation,
        weights: str | None, json: Path | None,
    ) -> None:  # fmt: skip
        """Report what was seen in an evaluation; then measure under corruptions, if asked to.

        Args:
            measure: Evaluates a split once more, telling how many of its images are done.
            dataset: The split.
            result: Of the evaluation.
            weights: Whose it is.
            json: File for it all; written before corruptions too, which take long.
        """
        self._report(result)
        self._write(json, result)
        if self.corruptions:
            self._stress(measure, dataset, result, weights)
            self._write(json, result)
        if self._official is not None:
            self._official.require_agreement(result)

    def _write(self, path: Path | None, result: Evaluation) -> None:
        if path is not None and own_rank() == 0:
            write_result(path, {**result.to_json(), **self.content}, "evaluate")

    def _report(self, result: Evaluation) -> None:
        """Print what was seen, and write the picture of reliability."""
        if self._official is not None:
            self.content |= self._official.report(result)
        if self._borders is not None:
            from hierseg.evaluation import boundaries_to_json, format_boundaries

            scores = self._borders.scores()
            self.content["boundary"] = boundaries_to_json(scores)
            print(f"\n{format_boundaries(scores)}")
        if self._confidence is not None:
            self._report_calibration(self._confidence, f"{result.data} {result.split}")

    def _report_calibration(self, watcher: CalibrationWatcher, title: str) -> None:
        from hierseg.evaluation import calibration_to_json, draw_reliability, format_calibration
        from hierseg.media import write_figure

        found = watcher.scores()
        self.content["calibration"] = [calibration_to_json(one) for one in found]
        picture = self.out / RELIABILITY
        if own_rank() == 0:
            write_figure(picture, draw_reliability(found, f"Reliability: {title}"), "evaluate")
        print(f"\n{format_calibration(found)}")
        if len(found) == 1:
            print("the weights have no temperature of their own; `hierseg calibrate` fits one.")
        print(f"reliability: {picture.resolve().as_uri()}")

    def _stress(
        self,
        measure: Measure,
        dataset: SegmentationDataset,
        clean: Evaluation,
        weights: str | None,
    ) -> None:
        """Measure under corruptions, print the table, and write it as file and picture."""
        from hierseg.commands.progress import show_progress
        from hierseg.evaluation import PICTURE, run_corruptions

        with show_progress("under corruptions") as on_progress:
            report = run_corruptions(
                measure, dataset, clean, self.corruptions, self.out, _digest(weights),
                on_progress=on_progress,
            )  # fmt: skip
        self.content["corruptions"] = report.to_json()
        print(f"\n{report.format()}")
        print(f"corruptions: {report.path.resolve().as_uri()}")
        print(f"as a picture: {(self.out / PICTURE).resolve().as_uri()}")


def _digest(weights: str | None) -> str:
    """Sixteen hexadecimal digits of the digest of a file of weights."""
    from hierseg.checkpoint import find_weights

    with find_weights(weights).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
