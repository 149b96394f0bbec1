"""What `hierseg evaluate` writes of single images, and of its result, and where."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hierseg.commands.places import check_result, hold_folders
from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import PredictionFiles, WorstImages


class Saving(NamedTuple):
    """The flags that name places, as ``evaluate`` describes them."""

    json: Path | None
    worst: int
    out: Path
    predictions: Path | None
    overwrite: bool

    def check(self, scored: Path | None) -> None:
        """UsageError for places that cannot be: label maps would be written over those that are
        scored, where ids that the data set does not count would be lost, or another's result.
        """
        if self.json is not None:
            check_result("--json", self.json, "evaluate", self.overwrite)
        if scored is None or self.predictions is None:
            return
        if scored.resolve() == self.predictions.resolve():
            raise UsageError(
                f"--save-predictions {self.predictions} is the folder of --predictions; name "
                "another one."
            )

    def hold(
        self, dataset: SegmentationDataset, writes_more: bool = False
    ) -> AbstractContextManager[None]:
        """Hold the folders; UsageError for one that holds images or labels of the split."""
        from hierseg.evaluation import FLAG, require_apart

        folders = [("--out", self.out)] if self.worst or writes_more else []
        if self.predictions is not None:
            require_apart(self.predictions, dataset)
            folders.append((FLAG, self.predictions))
        return hold_folders(*folders)

    def open(
        self, dataset: SegmentationDataset, limit: int | None
    ) -> tuple[WorstImages | None, PredictionFiles | None]:
        """What looks at each image, and writes; UsageError where it would replace another's."""
        from hierseg.evaluation import PredictionFiles, WorstImages

        ranking, files = None, None
        if self.worst:
            ranking = WorstImages(self.worst, dataset, self.out, self.overwrite)
        if self.predictions is not None:
            files = PredictionFiles.open(self.predictions, dataset, limit, self.overwrite)
        return ranking, files
