"""The policy of a folder run: every image that can be segmented is, the others are listed with why,
and whatever ends the run before its end, the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import nn

from hierseg.errors import UserError
from hierseg.inference.names import assign_names
from hierseg.inference.panels import FOLDER, write_panels
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.inference.progress import RunProgress
from hierseg.inference.reading import MAX_PIXELS, pixels_counted_here, read_image
from hierseg.inference.summary import ImageRecord, Summary
from hierseg.inference.writers import WRITERS, write_legend

AHEAD = 3  # images read before the network asks for them
BEHIND = 4  # predictions that may wait to be written
SECONDS_BETWEEN_SUMMARIES = 5.0


@dataclass(frozen=True)
class RunSettings:
    """What a folder run writes, and what it takes.

    Attributes:
        save: Outputs by their names in ``WRITERS``.
        max_pixels: Images with more pixels are skipped.
        overwrite: Do over what an earlier run in the same folder has done.
        weights: The weights' name, for the reader of summary and page.
    """

    save: tuple[str, ...] = ("labels", "ids", "color", "overlay")
    max_pixels: int = MAX_PIXELS
    overwrite: bool = False
    weights: str = ""


def run_folder(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    settings: RunSettings,
    console: Console | None = None,
) -> Summary:
    """Segment images into a folder; what an earlier run there has done is not done again.

    Args:
        predictor: With ``keep_scales`` where ``settings.save`` needs it.
        images: What ``find_images`` found.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; made where it is not.
        settings: What is written.
        console: For progress; None for none.

    Raises:
        UsageError: ``out`` holds outputs that were made with other weights or settings.
        OSError: The outputs cannot be written.
        KeyboardInterrupt: As it came, once the summary of what is done is written.
    """
    out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
    summary = Summary.open(out, describe_run(predictor, settings), settings.overwrite)
    summary.about = {"weights": settings.weights, "label_space": predictor.label_space.name}
    write_legend(predictor.label_space, out)
    # Absolute, so that a run from another folder knows them again; links keep their own names.
    paths = [Path(os.path.abspath(image)) for image in images]  # noqa: PTH100
    taken = {Path(record.source): record.name for record in summary.records.values()}
    names = assign_names(paths, taken)
    waiting = [path for path in paths if not _is_done(path, summary, out)]
    run = _Run(predictor, out, settings, names, summary)
    try:
        with pixels_counted_here(), RunProgress(len(waiting), console) as progress:
            run.segment(waiting, progress)
        summary.complete = True
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; {len(summary.records)} images are done, and the same command goes on "
            "from there."
        ) from None
    finally:
        order = {str(path): position for position, path in enumerate(paths)}
        summary.records = dict(
            sorted(summary.records.items(), key=lambda item: order.get(item[0], len(order)))
        )
        summary.write(out)
    return summary


def describe_run(predictor: Predictor, settings: RunSettings) -> dict[str, object]:
    """What the outputs depend on, but for the images."""
    scales = predictor.network.scales if predictor.scales is None else predictor.scales
    return {
        "weights": fingerprint(predictor.network),
        "scales": [float(scale) for scale in scales],
        "flip": predictor.flip,
        "save": sorted(settings.save),
    }


def fingerprint(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell a network's weights from others."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _is_done(path: Path, summary: Summary, out: Path) -> bool:
    record = summary.records.get(str(path))
    return record is not None and record.is_current(out)


class _Run:
    """Reading, network and writing, which overlap: the network runs on the calling thread."""

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        settings: RunSettings,
        names: dict[Path, str],
        summary: Summary,
    ) -> None:
        self.predictor, self.out, self.settings = predictor, out, settings
        self.names, self.summary = names, summary
        self._written = time.monotonic()

    def segment(self, images: Sequence[Path], progress: RunProgress) -> None:
        """Segment the images; what is finished is in the summary at any time."""
        readers = ThreadPoolExecutor(2, "read")
        writers = ThreadPoolExecutor(2, "write")
        writing: deque[Future[ImageRecord]] = deque()
        try:
            for path, reading in _read_ahead(readers, images, self._read):
                try:
                    pixels = reading.result()
                    start = time.monotonic()
                    prediction = self._predict(pixels)
                    seconds = time.monotonic() - start
                except UserError as error:
                    self._skip(path, getattr(error, "reason", str(error)), progress)
                    continue
                writing.append(writers.submit(self._write, path, prediction, seconds))
                while len(writing) > BEHIND:
                    self._finish(writing.popleft(), progress)
            while writing:
                self._finish(writing.popleft(), progress)
        finally:
            readers.shutdown(cancel_futures=True)
            writers.shutdown(cancel_futures=True)
            for future in writing:
                if future.done() and not future.cancelled() and future.exception() is None:
                    self._finish(future, progress)

    def _read(self, path: Path) -> npt.NDArray[np.uint8]:
        return read_image(path, self.settings.max_pixels)

    def _predict(self, pixels: npt.NDArray[np.uint8]) -> Prediction:
        try:
            return self.predictor(pixels)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
                raise
            height, width = pixels.shape[:2]
            raise UserError(
                f"{height}x{width} pixels need more memory than this machine has"
            ) from error

    def _write(self, path: Path, prediction: Prediction, seconds: float) -> ImageRecord:
        """Write all outputs of an image; in a writer's thread."""
        name, save = self.names[path], self.settings.save
        written = [file for key in save for file in WRITERS[key](prediction, self.out, name)]
        panels = write_panels(prediction, self.out, name, list(save))
        files = [file.relative_to(self.out).as_posix() for file in written]
        status = path.stat() if path.exists() else None  # it may have been moved away meanwhile
        height, width = prediction.labels.shape
        return ImageRecord(
            source=str(path),
            bytes=status.st_size if status else 0,
            modified=status.st_mtime_ns if status else 0,
            name=name,
            height=height,
            width=width,
            confidence=float(prediction.confidence.mean(dtype=np.float64)),
            shares=prediction.class_shares(),
            seconds=round(seconds, 4),
            files=sorted({*files, *(panel.file for panel in panels)}),
            panels=panels,
        )

    def _finish(self, future: Future[ImageRecord], progress: RunProgress) -> None:
        record = future.result()
        self.summary.records[record.source] = record
        progress.advance()
        # Often enough that a killed run loses little, rarely enough for a folder of thousands.
        if time.monotonic() - self._written > SECONDS_BETWEEN_SUMMARIES:
            self.summary.write(self.out)
            self._written = time.monotonic()

    def _skip(self, path: Path, reason: str, progress: RunProgress) -> None:
        self.summary.records.pop(str(path), None)
        self.summary.skipped[str(path)] = reason
        progress.say(f"skipped {path}: {reason}")
        progress.advance()


def _read_ahead(
    pool: ThreadPoolExecutor,
    images: Sequence[Path],
    read: Callable[[Path], npt.NDArray[np.uint8]],
) -> Iterator[tuple[Path, Future[npt.NDArray[np.uint8]]]]:
    """Each image with its reading, a few of which are always under way."""
    under_way: deque[tuple[Path, Future[npt.NDArray[np.uint8]]]] = deque()
    for image in images:
        under_way.append((image, pool.submit(read, image)))
        if len(under_way) > AHEAD:
            yield under_way.popleft()
    yield from under_way
