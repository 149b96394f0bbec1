"""What a run over a folder does with an image: how it is read, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hierseg.data import FileStatus
from hierseg.inference import Prediction
from hierseg.jobs.job import Policy, Source
from hierseg.jobs.pipeline import Pixels
from hierseg.jobs.run_settings import RunSettings
from hierseg.jobs.summary import JOURNAL, Summary
from hierseg.jobs.under_way import UnderWay
from hierseg.jobs.writers import list_outputs, write_outputs
from hierseg.media import read_image
from hierseg.pages import FOLDER, ImageRecord, list_panels
from hierseg.urls import HERE, Mirrors


class Image(NamedTuple):
    """An image, and the common beginning of its outputs' names."""

    path: Path
    name: str = ""


class ImagePolicy(Policy[Image, ImageRecord]):
    """What a run over a folder does with an image.

    Args:
        out: Folder of the outputs.
        settings: The outputs, and which images are taken.
        summary: Where the images' files are claimed; None in a remote worker, which claims none.
        scales: Scales whose own outputs are written.
        mirrors: Mirrors of images and outputs at URLs.

    Attributes:
        under_way: Where the images being segmented are noted; None in a remote worker.
    """

    def __init__(
        self,
        out: Path,
        settings: RunSettings,
        summary: Summary | None = None,
        scales: Sequence[float] = (),
        mirrors: Mirrors = HERE,
    ) -> None:
        self.out, self.settings, self.summary, self.scales = out, settings, summary, scales
        self.mirrors = mirrors
        self.under_way: UnderWay | None = None
        self._all_claimed = False
        self._facts: dict[Path, str] = {}

    def key(self, item: Image) -> str:
        """See ``Policy``."""
        return self.mirrors.name(item.path)

    def list_files(self, record: ImageRecord) -> Sequence[str]:
        """See ``Policy``."""
        return record.files

    def find_source(self, record: ImageRecord) -> Source:
        """See ``Policy``."""
        path = self.mirrors.place(record.source)
        return Source(path, FileStatus(record.bytes, record.modified))

    def locate(self, item: Image) -> Path:
        """See ``Policy``."""
        return item.path

    def read(self, item: Image) -> Pixels:
        """See ``Policy``."""
        return read_image(item.path, self.settings.max_pixels)

    def claim(self, item: Image, prediction: Prediction) -> None:
        """See ``Policy``."""
        self._claim(item, [*(prediction.per_scale or {}), *(prediction.attention or {})])

    def claim_ahead(self, item: Image) -> None:
        """See ``Policy``."""
        self._claim(item, self.scales)

    def _claim(self, item: Image, scales: Sequence[float]) -> None:
        if self.summary is not None and not self._all_claimed:
            save = self.settings.save
            files = list_outputs(item.name, save, scales), list_panels(item.name, save, scales)
            self.summary.claim([*files[0], *files[1]], self.key(item))

    def give_back(self, item: Image) -> None:
        """See ``Policy``."""
        if self.summary is not None:
            self.summary.give_back(self.key(item))

    def copy_for_worker(self) -> ImagePolicy:
        """See ``Policy``."""
        return ImagePolicy(self.out, self.settings, mirrors=self.mirrors)

    def claim_there(self, items: Sequence[Image]) -> None:
        """If the outputs are at a URL, claim the files of all items at once, before any is written,
        since the journal is uploaded only from time to time.
        """
        if self.mirrors.out is None:
            return
        for item in items:
            self.claim_ahead(item)
        self._all_claimed = True
        self.mirrors.out.sync()
        self.mirrors.out.watch(self.out / JOURNAL)

    def prepare_there(self) -> None:
        """See ``Policy``."""
        self.out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)

    def write(
        self, item: Image, prediction: Prediction, seconds: float, status: FileStatus
    ) -> ImageRecord:
        """See ``Policy``."""
        record = write_outputs(
            prediction,
            self.out,
            item.name,
            self.settings.save,
            source=self.key(item),
            bytes=status.size,
            modified=status.modified,
            seconds=seconds,
            look=self.settings.look,
        )
        record.facts.extend(filter(None, [self._facts.pop(item.path, "")]))
        return record

    def divide(self, item: Image, how: str, reason: str) -> None:
        """See ``Policy``."""
        self._facts[item.path] = f"run in {how}: {reason}"
        self.say(f"{self.key(item)}: {reason}; it is run in {how}")

    def begin(self, item: Image) -> None:
        """See ``Policy``."""
        if self.under_way is not None:
            self.under_way.begin(item.path)

    def end(self, item: Image, record: ImageRecord | None) -> None:
        """See ``Policy``."""
        if self.under_way is not None:
            self.under_way.end(item.path)
        for output, reason in ({} if record is None else record.unwritten).items():
            self.say(f"{self.key(item)} without {output}: {reason}")

    def describe(self, item: Image) -> str:
        """See ``Policy``."""
        return self.key(item)
