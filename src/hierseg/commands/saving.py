"""The files that `hierseg evaluate` writes: of single images, and of its result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hierseg.commands.places import check_result, hold_folders
from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import (
        Evaluation,
        PanelFiles,
        PortableWatcher,
        PredictionFiles,
        WorstImages,
    )


class Saving(NamedTuple):
    """The flags that name places, as ``evaluate`` describes them."""

    json: Path | None
    worst: int
    out: Path
    predictions: Path | None
    panels: Path | None
    overwrite: bool

    def check(self, scored: Path | None) -> None:
        """UsageError for places that cannot be: label maps would be written over those that are
        scored, where ids that the data set does not count would be lost, or another's result.
        """
        if self.json is not None:
            check_result("--json", self.json, "evaluate", self.overwrite)
        if scored is not None and self.panels is not None:
            raise UsageError(
                "--save-panels needs a network, and --predictions has none; leave it out, or give "
                "--worst."
            )
        if self.panels is not None and self.worst and self.panels.resolve() == self.out.resolve():
            raise UsageError(
                f"--save-panels {self.panels} and --out {self.out} are one folder, and each has a "
                "page; name another one."
            )
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
        if self.panels is not None:
            require_apart(self.panels, dataset, "--save-panels")
            folders.append(("--save-panels", self.panels))
        return hold_folders(*folders)

    def open(
        self, dataset: SegmentationDataset, limit: int | None, scales: Sequence[float]
    ) -> Saved:
        """What looks at each image, and writes; UsageError where it would replace another's.

        Args:
            dataset: The split.
            limit: Images that are evaluated; None for all.
            scales: Those that are run, as far as they are known.
        """
        from hierseg.evaluation import PanelFiles, PredictionFiles, WorstImages

        ranking, files, panels = None, None, None
        if self.worst:
            ranking = WorstImages(self.worst, dataset, self.out, self.overwrite)
        if self.predictions is not None:
            files = PredictionFiles.open(self.predictions, dataset, limit, self.overwrite)
        if self.panels is not None:
            panels = PanelFiles.open(self.panels, dataset, limit, scales, self.overwrite)
        return Saved(ranking, files, panels)


class Saved(NamedTuple):
    """What is written of single images while they are evaluated."""

    ranking: WorstImages | None
    files: PredictionFiles | None
    panels: PanelFiles | None

    @property
    def watchers(self) -> list[PortableWatcher]:
        """Those that there are."""
        return [watcher for watcher in self if watcher is not None]

    def write_pages(self, result: Evaluation) -> None:
        """Write the pages, and print where they are."""
        if self.ranking is not None:
            print(f"worst images: {self.ranking.write(result).resolve().as_uri()}")
        if self.panels is not None:
            page = self.panels.write(result, f"{result.data} {result.split}, image by image")
            print(f"all images: {page.resolve().as_uri()}")

    def require_all(self) -> None:
        """UserError where files could not be written; the figures do not depend on them."""
        for writer in (self.files, self.panels):
            if writer is not None:
                writer.require_all()
