"""What `hierseg evaluate` measures beside mIoU where it is asked to: boundaries, calibration and
corruptions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import Evaluation
    from hierseg.evaluation.boundaries import BoundaryWatcher
    from hierseg.evaluation.calibration import CalibrationWatcher
    from hierseg.evaluation.score import Watcher

    Progress = Callable[[int, int], None]

RELIABILITY = "reliability.png"


class Measures:
    """The measures that were asked for.

    Args:
        boundary: Boundary IoU and F-score.
        calibration: Expected calibration error, by the temperature in the checkpoint too.
        corruptions: Names of corruptions, empty for all; None for no run under them.
        out: Folder of pictures and of corruptions.json.
        with_network: Whether a network is run: label maps have no confidence, nor can they be
            corrupted.

    Raises:
        UsageError: For a corruption that there is not, or what needs a network.
    """

    def __init__(
        self,
        boundary: bool,
        calibration: bool,
        corruptions: tuple[str, ...] | None,
        out: Path,
        with_network: bool = True,
    ) -> None:
        self.boundary, self.calibration, self.out = boundary, calibration, out
        self.corruptions: tuple[str, ...] = ()
        for flag, asked in (
            ("--calibration", calibration),
            ("--corruptions", corruptions is not None),
        ):
            if asked and not with_network:
                raise UsageError(
                    f"{flag} is for a network, and --predictions has none; leave it out."
                )
        if corruptions is not None:
            from hierseg.evaluation.corruptions import choose_corruptions

            self.corruptions = choose_corruptions(corruptions)
        self.content: dict[str, Any] = {}
        self._borders: BoundaryWatcher | None = None
        self._confidence: CalibrationWatcher | None = None

    def watch(self, dataset: SegmentationDataset, weights: str | None) -> list[Watcher]:
        """What looks at the images of an evaluation as they come."""
        watchers: list[Watcher] = []
        if self.boundary:
            from hierseg.evaluation.boundaries import BoundaryWatcher

            self._borders = BoundaryWatcher(dataset)
            watchers.append(self._borders)
        if self.calibration:
            from hierseg.checkpoint import stored_temperature
            from hierseg.evaluation.calibration import CalibrationWatcher

            self._confidence = CalibrationWatcher(dataset, stored_temperature(weights))
            watchers.append(self._confidence)
        return watchers

    def report(self, result: Evaluation) -> None:
        """Print what was seen, and write the picture of reliability."""
        if self._borders is not None:
            from hierseg.evaluation.boundaries import boundaries_to_json, format_boundaries

            scores = self._borders.scores()
            self.content["boundary"] = boundaries_to_json(scores)
            print(f"\n{format_boundaries(scores)}")
        if self._confidence is not None:
            self._report_calibration(self._confidence, f"{result.data} {result.split}")

    def _report_calibration(self, watcher: CalibrationWatcher, title: str) -> None:
        from hierseg.evaluation.calibration import calibration_to_json, format_calibration
        from hierseg.evaluation.reliability import draw_reliability
        from hierseg.inference.writers import write_picture

        found = watcher.scores()
        self.content["calibration"] = [calibration_to_json(one) for one in found]
        self.out.mkdir(parents=True, exist_ok=True)
        picture = write_picture(
            self.out / RELIABILITY, draw_reliability(found, f"Reliability: {title}")
        )
        print(f"\n{format_calibration(found)}")
        if len(found) == 1:
            print("the weights have no temperature of their own; `hierseg calibrate` fits one.")
        print(f"reliability: {picture.resolve().as_uri()}")

    def stress(
        self,
        measure: Callable[[SegmentationDataset, Progress], Evaluation],
        dataset: SegmentationDataset,
        clean: Evaluation,
        weights: str | None,
    ) -> None:
        """Measure under corruptions, print the table, and write it as file and picture."""
        from hierseg.commands.progress import show_progress
        from hierseg.evaluation.corruptions import run_corruptions
        from hierseg.evaluation.corruptions.run import PICTURE

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
    """Sixteen hexadecimal digits that tell a file of weights from others."""
    from hierseg.checkpoint import find_weights

    with find_weights(weights).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
