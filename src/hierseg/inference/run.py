"""The policy of a folder run: every image that can be segmented is, the others are listed with why,
and whatever ends the run before its end, the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from torch import nn

from hierseg.data.archive import FileStatus, get_status
from hierseg.errors import UserError
from hierseg.files import FolderLock
from hierseg.inference.claims import claim_files, list_files
from hierseg.inference.names import assign_names
from hierseg.inference.outputs import write_outputs
from hierseg.inference.page import FILE as PAGE
from hierseg.inference.panels import FOLDER, list_panels
from hierseg.inference.pipeline import AHEAD, Pipeline, Reading, read_ahead
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.inference.progress import RunProgress
from hierseg.inference.reading import MAX_PIXELS, pixels_counted_here, read_image
from hierseg.inference.summary import ImageRecord, Summary
from hierseg.inference.writers import (
    LEGEND,
    UnwritableError,
    as_unwritable,
    list_outputs,
    remove_leftovers,
    write_legend,
)
from hierseg.models import CONVENTIONS

SECONDS_BETWEEN_SUMMARIES = 5.0
"""At first; later more and more, as a summary of many images takes longer to write."""
MANY = 1000
"""Images from which on the time between summaries grows."""


@dataclass(frozen=True)
class RunSettings:
    """What a folder run writes, and what it takes.

    Attributes:
        save: Outputs by their names in ``WRITERS``.
        max_pixels: Images with more pixels are skipped.
        overwrite: Do over what an earlier run in the same folder has done.
        weights: The weights' name, for the reader of summary and page.
        batch: Images of one size that the network is given together, at most.
        about: What else the reader of the summary is told, such as the data set.
    """

    save: tuple[str, ...] = ("labels", "ids", "color", "overlay")
    max_pixels: int = MAX_PIXELS
    overwrite: bool = False
    weights: str = ""
    batch: int = 1
    about: Mapping[str, str] = field(default_factory=dict)


def run_folder(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    settings: RunSettings,
    console: Console | None = None,
    finish: Callable[[Summary], object] | None = None,
) -> Summary:
    """Segment images into a folder; what an earlier run there has done is not done again.

    Args:
        predictor: With ``keep_scales`` where ``settings.save`` needs it.
        images: What ``find_images`` found.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; made where it is not.
        settings: What is written.
        console: For progress; None for none.
        finish: Writes the page, ``index.html``, before another run may have the folder.

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
        named = {"weights": settings.weights, "label_space": predictor.label_space.name}
        summary.about = {**named, **settings.about}
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
            with pixels_counted_here(), RunProgress(len(waiting), console) as progress:
                _Run(out, settings, names, summary, progress).segment(predictor, waiting)
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


def describe_outputs(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """What files depend on, but for the images: raw ids and colours beside what labels do."""
    space = predictor.label_space
    digest = hashlib.sha256(json.dumps(space.to_dict()).encode()).hexdigest()
    return {**describe_run(predictor, settings), "label_space": f"{space.name} {digest[:8]}"}


def describe_run(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """What labels depend on, but for the images."""
    scales = predictor.network.scales if predictor.scales is None else predictor.scales
    return {
        "weights": fingerprint(predictor.network),
        "scales": [float(scale) for scale in scales],
        "flip": predictor.flip,
        "save": sorted(settings.save),
        # Named where there is one, so that runs from before there were any still go on.
        **({} if predictor.temperature == 1 else {"temperature": predictor.temperature}),
        **({} if predictor.long_edge is None else {"long_edge": predictor.long_edge}),
    }


def fingerprint(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell a network's weights from others, and how it normalises
    and resizes where that is not its builder's own way.
    """
    digest = hashlib.sha256()
    arguments = getattr(network, "builder_arguments", {})
    for name in CONVENTIONS:
        if arguments.get(name):  # not align_corners=False, which is everyone's
            digest.update(f"{name} {arguments[name]}".encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


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
    ) -> None:
        self.out, self.settings = out, settings
        self.names, self.summary, self.progress = names, summary, progress
        self._written = time.monotonic()
        self._status: dict[Path, FileStatus] = {}

    def segment(self, predictor: Predictor, images: Sequence[Path]) -> None:
        """Segment the images; what is finished is in the summary at any time."""
        batch = self.settings.batch
        pipeline = Pipeline(predictor, batch, self._write, self._finish, self._skip)
        readers = ThreadPoolExecutor(2, "read")
        try:
            pipeline.run(read_ahead(readers, images, self._read, AHEAD + batch - 1))
        finally:
            readers.shutdown(cancel_futures=True)

    def _read(self, path: Path) -> Reading[Path]:
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
            return write_outputs(
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

    def _finish(self, written: ImageRecord | _Unwritten) -> None:
        if isinstance(written, _Unwritten):
            self._skip(written.path, f"cannot be written: {written.reason}")
            return
        self.summary.add(written)
        for output, reason in written.unwritten.items():
            self.progress.say(f"{written.source} without {output}: {reason}")
        self.progress.advance()
        if is_due(self._written, len(self.summary.records)):
            self.summary.write(self.out)
            self._written = time.monotonic()

    def _skip(self, path: Path, reason: str) -> None:
        self._status.pop(path, None)
        self.summary.records.pop(str(path), None)
        self.summary.skipped[str(path)] = reason
        self.progress.say(f"skipped {path}: {reason}")
        self.progress.advance()
