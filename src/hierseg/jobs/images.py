"""The policy of a folder run: every image that can be segmented is, the others are listed with why,
and whatever ends the run before its end, the next one goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console

from hierseg.data import FileStatus, get_status
from hierseg.errors import UserError
from hierseg.files import FolderLock, remove_leftovers
from hierseg.inference import Prediction, Predictor
from hierseg.jobs.claims import claim_files, list_files
from hierseg.jobs.outputs import write_outputs
from hierseg.jobs.pipeline import AHEAD, Pipeline, Reading, read_ahead
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.run_settings import RunSettings as RunSettings
from hierseg.jobs.run_settings import describe_outputs as describe_outputs
from hierseg.jobs.run_settings import describe_run as describe_run
from hierseg.jobs.summary import Summary
from hierseg.jobs.under_way import FATAL, UnderWay
from hierseg.jobs.writers import LEGEND, list_outputs, write_legend
from hierseg.media import (
    UnwritableError,
    as_unwritable,
    assign_names,
    pixels_counted_here,
    read_image,
)
from hierseg.pages import FILE as PAGE
from hierseg.pages import FOLDER, ImageRecord, list_panels

SECONDS_BETWEEN_SUMMARIES = 5.0
"""At first; later more, as a summary of many images takes longer to write."""
MANY = 1000
"""Images from which on the time between summaries grows."""


def run_folder(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    settings: RunSettings,
    console: Console | None = None,
    finish: Callable[[Summary], object] | None = None,
    left_out: Mapping[Path, str] = MappingProxyType({}),
) -> Summary:
    """Segment images into a folder; what an earlier run there has done is not done again.

    Args:
        predictor: With ``keep_scales`` where ``settings.save`` needs it.
        images: What ``find_images`` found.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; made where it is not.
        settings: What is written.
        console: For progress; None for none.
        finish: Writes the page, ``index.html``, before another run may have the folder.
        left_out: What is listed as skipped besides, and why.

    Raises:
        UsageError: ``out`` holds outputs that were made with other weights or settings, or files
            under the names of outputs that no run has written.
        UserError: Another run writes into ``out``.
        OSError: The outputs cannot be written.
        KeyboardInterrupt: As it came, once the summary of what is done is written.
    """
    with FolderLock(out):
        remove_leftovers(out)
        summary = Summary.open(out, describe_outputs(predictor, settings), settings.overwrite)
        summary.about = settings.describe(predictor.label_space)
        # Absolute, so that a run from another folder knows them again; links keep their own names.
        paths = [Path(os.path.abspath(image)) for image in images]  # noqa: PTH100
        taken = {Path(record.source): record.name for record in summary.records.values()}
        names = assign_names(paths, taken)
        waiting = [path for path in paths if not _is_done(path, summary, out)]
        files = [LEGEND, *([PAGE] if finish else [])]
        files += list_files(predictor, settings.save, [names[path] for path in waiting])
        claimed = claim_files(out, files, summary, settings.overwrite, paths)
        out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
        summary.begin(out)
        summary.claim(claimed)
        write_legend(predictor.label_space, out)
        try:
            with (
                pixels_counted_here(),
                RunProgress(len(waiting) + len(left_out), console) as progress,
                UnderWay(out, settings.overwrite) as under_way,
            ):
                run = _Run(out, settings, names, summary, progress, under_way)
                run.segment(predictor, waiting, left_out)
            summary.complete = True
        except KeyboardInterrupt:
            raise interrupted_after(len(summary.records), "images", settings.overwrite) from None
        finally:
            order = {str(path): position for position, path in enumerate(paths)}
            summary.records = dict(
                sorted(summary.records.items(), key=lambda item: order.get(item[0], len(order)))
            )
            summary.finish(out)
        if finish is not None:
            finish(summary)
    return summary


def is_due(since: float, done: int) -> bool:
    """Whether a summary is to be written, for whoever looks, though it is not the end.

    The more images there are, the longer it takes, and the rarer it is: in all it takes a time that
    grows with their number and not with its square.

    Args:
        since: When the last one was written.
        done: Images that it holds.
    """
    return time.monotonic() - since > SECONDS_BETWEEN_SUMMARIES * max(1.0, done / MANY)


def interrupted_after(done: int, what: str, overwrite: bool) -> KeyboardInterrupt:
    """An interruption that says how to go on: not by doing everything over."""
    command = "the same command without --overwrite" if overwrite else "the same command"
    return KeyboardInterrupt(
        f"interrupted; {done} {what} are done, and {command} goes on from there."
    )


def _is_done(path: Path, summary: Summary, out: Path) -> bool:
    record = summary.records.get(str(path))
    return record is not None and record.is_current(out)


class _Unwritten(NamedTuple):
    """An image none of whose outputs could be written."""

    path: Path
    reason: str


class _Run:
    """What a folder run does with an image as it is read, written, finished or skipped."""

    def __init__(
        self,
        out: Path,
        settings: RunSettings,
        names: dict[Path, str],
        summary: Summary,
        progress: RunProgress,
        under_way: UnderWay,
    ) -> None:
        self.out, self.settings = out, settings
        self.names, self.summary, self.progress = names, summary, progress
        self.under_way = under_way
        self._facts: dict[Path, str] = {}
        self._written = time.monotonic()
        self._status: dict[Path, FileStatus] = {}

    def segment(
        self, predictor: Predictor, images: Sequence[Path], left_out: Mapping[Path, str]
    ) -> None:
        """Segment the images; what is finished is in the summary at any time."""
        for path, reason in left_out.items():
            self.skip(Path(os.path.abspath(path)), reason)  # noqa: PTH100
        batch = self.settings.batch
        pipeline = Pipeline(predictor, batch, self._write, self._finish, self.skip, self._shrink)
        together, alone, fatal = self.under_way.divide(images)
        for path in fatal:
            self.skip(path, FATAL)
        readers = ThreadPoolExecutor(2, "read")
        try:
            pipeline.run(read_ahead(readers, together, self._read, AHEAD + batch - 1))
        finally:
            readers.shutdown(cancel_futures=True)
        self.under_way.alone = True
        for path in alone:
            self.progress.say(f"an earlier run ended while {path} was under way; alone now")
            pipeline.run(map(self._read, [path]))

    def _read(self, path: Path) -> Reading[Path]:
        self.under_way.begin(path)
        try:
            # Before its pixels: an image that is saved anew meanwhile is not the one that is done.
            self._status[path] = get_status(path)
        except OSError:
            self._status[path] = FileStatus(0, 0)
        try:
            return Reading(path, read_image(path, self.settings.max_pixels))
        except UserError as error:
            return Reading(path, error)

    def _write(
        self, path: Path, prediction: Prediction | None, seconds: float
    ) -> ImageRecord | _Unwritten:
        assert prediction is not None
        name, save = self.names[path], self.settings.save
        scales = [*(prediction.per_scale or {}), *(prediction.attention or {})]
        files = (*list_outputs(name, save, scales), *list_panels(name, save, scales))
        self.summary.claim(files, str(path))
        status = self._status.pop(path)
        try:
            record = write_outputs(
                prediction,
                self.out,
                name,
                save,
                source=str(path),
                bytes=status.size,
                modified=status.modified,
                seconds=seconds,
            )
        except UnwritableError as error:
            return _Unwritten(path, error.reason)
        except OSError as error:
            return _Unwritten(path, as_unwritable(error, self.out).reason)
        record.facts.extend(filter(None, [self._facts.pop(path, "")]))
        return record

    def _shrink(self, path: Path, long_edge: int, reason: str) -> None:
        self._facts[path] = f"run at a long edge of {long_edge}: {reason}"
        self.progress.say(f"{path}: {reason}; it is run at --long-edge {long_edge}")

    def _finish(self, written: ImageRecord | _Unwritten) -> None:
        if isinstance(written, _Unwritten):
            self.skip(written.path, f"cannot be written: {written.reason}")
            return
        self.summary.add(written)
        self.under_way.end(Path(written.source))
        for output, reason in written.unwritten.items():
            self.progress.say(f"{written.source} without {output}: {reason}")
        self.progress.advance()
        if is_due(self._written, len(self.summary.records)):
            self.summary.write(self.out)
            self._written = time.monotonic()

    def skip(self, path: Path, reason: str) -> None:
        """List an image as skipped."""
        self.under_way.end(path)
        self._status.pop(path, None)
        self.summary.records.pop(str(path), None)
        self.summary.skipped[str(path)] = reason
        self.progress.say(f"skipped {path}: {reason}")
        self.progress.advance()
