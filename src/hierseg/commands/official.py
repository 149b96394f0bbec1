"""`hierseg evaluate --official`: also the data set's own evaluation of the same label maps."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from hierseg.errors import UsageError, UserError
from hierseg.processes import Launch
from hierseg.size import Size

if TYPE_CHECKING:
    from hierseg.data import Palette, SegmentationDataset
    from hierseg.evaluation import Evaluation, LabelFile, OfficialScores, PortableWatcher

Ids = Literal["train", "raw"]


def choose_ids(ids: Ids | None, official: bool) -> Ids:
    """The ids in label maps by default: train ids; raw ids for the official script."""
    if official and ids == "train":
        raise UsageError(
            "--official hands label maps to the data set's own script, which reads raw ids; give "
            "label maps of raw ids, and leave out --ids train."
        )
    return ids or ("raw" if official else "train")


class Official:
    """The data set's own evaluation; does nothing unless it is asked for.

    Args:
        asked: Whether it is asked for.
        dataset: The split.
        predictions: Folder of label maps in raw ids; None if a network is run.
        limit: Number of images to evaluate; None for all.
        val_crop: Must be None: the script evaluates whole images.
        palette: How to read label maps with a palette of greys.

    Raises:
        UsageError: The data set has no such evaluation, or a crop is given.
        MissingExtraError: cityscapesScripts is not installed.
        UserError: A label map is missing, or the script would not take it; checked before anything
            is run.
    """

    def __init__(
        self,
        asked: bool,
        dataset: SegmentationDataset,
        predictions: Path | None,
        limit: int | None,
        val_crop: Size | None,
        palette: Palette | None = None,
    ) -> None:
        self.asked, self.dataset, self.palette = asked, dataset, palette
        self.count = len(dataset) if limit is None else min(limit, len(dataset))
        self.watchers: list[PortableWatcher] = []
        self._scores: OfficialScores | None = None
        self._maps: list[LabelFile] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if not asked:
            return
        from hierseg.evaluation import PredictionFiles, require_official

        require_official(dataset)
        if Launch.find().processes > 1:
            raise UsageError("--official evaluates in one process; leave out torchrun or srun.")
        if val_crop is not None:
            raise UsageError("--official evaluates whole images; leave out --val-crop.")
        if predictions is not None:
            self._maps = self._find_maps(predictions)
            self._check()
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="hierseg-label-maps-")
            self.watchers.append(PredictionFiles(Path(self._folder.name), dataset.label_space))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def report(self, result: Evaluation) -> dict[str, Any]:
        """Run it, print its figures beside hierseg's, and return them as JSON."""
        if not self.asked:
            return {}
        from hierseg.commands.progress import show_progress
        from hierseg.evaluation import format_official, run_official

        if self._folder is not None:
            self._maps = self._find_maps(Path(self._folder.name))
            self._check()
        with show_progress("evaluating officially") as on_progress:
            paths = [file.path for file in self._maps]
            self._scores = run_official(self.dataset, paths, on_progress, self.palette)
        print(f"\n{format_official(self._scores, result)}")
        return {"official": self._scores.to_json(result)}

    def require_agreement(self, result: Evaluation) -> None:
        """UserError if the official figures differ from hierseg's."""
        if self._scores is None:
            return
        from hierseg.evaluation import TOLERANCE

        difference = self._scores.difference(result)
        if difference > TOLERANCE:
            raise UserError(
                f"the official figures differ from hierseg's by up to {difference:.1e}, more than "
                f"{TOLERANCE:g}; trust the official ones, and report the difference."
            )

    def _find_maps(self, folder: Path) -> list[LabelFile]:
        from hierseg.data import read_image_header
        from hierseg.evaluation import LabelFile, LabelMaps

        maps = LabelMaps(folder, self.dataset, "raw", self.palette)
        maps.require(self.count)
        files = []
        for sample in self.dataset.samples[: self.count]:
            path = maps.find(sample)
            assert path is not None  # require
            assert sample.label is not None  # a labelled split
            files.append(LabelFile(sample.name, path, read_image_header(sample.label).size))
        return files

    def _check(self) -> None:
        from hierseg.commands.progress import show_progress
        from hierseg.evaluation import check_label_files

        with show_progress("checking label maps") as on_progress:
            check_label_files(self._maps, self.dataset.label_space, on_progress, self.palette)
