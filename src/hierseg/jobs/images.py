"""The policy of a folder run: every image that can be segmented is, the others are listed with why,
and whatever ends the run before its end, the next one goes on from there.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from rich.console import Console

from hierseg.data import FileStatus
from hierseg.distributed import gather, tell_all
from hierseg.engines import describe_engine, expect_images
from hierseg.errors import UserError
from hierseg.files import FolderLock, remove_leftovers
from hierseg.inference import Prediction, Predictor
from hierseg.jobs.elsewhere import Workers, run_elsewhere
from hierseg.jobs.job import Job, Policy, Source, interrupted_after
from hierseg.jobs.labelling import list_shared, write_shared
from hierseg.jobs.pipeline import Pixels
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.run_settings import RunSettings, describe_outputs
from hierseg.jobs.summary import Summary, claim_files
from hierseg.jobs.under_way import FATAL, UnderWay
from hierseg.jobs.writers import (
    LEGEND,
    NEEDS_SCALES,
    list_outputs,
    list_run_files,
    write_legend,
    write_outputs,
)
from hierseg.media import assign_names, pixels_counted_here, read_image
from hierseg.pages import FILE as PAGE
from hierseg.pages import FOLDER, ImageRecord, list_panels
from hierseg.processes import count_processes, own_rank


def run_folder(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    settings: RunSettings,
    console: Console | None = None,
    finish: Callable[[Summary], object] | None = None,
    left_out: Mapping[Path, str] = MappingProxyType({}),
    workers: Elsewhere | None = None,
    before: Callable[[Sequence[Path]], object] | None = None,
) -> Summary:
    """Segment images into a folder; what an earlier run there has done is not done again.

    Of several processes each does its share, and the first writes the summary and the page of all;
    the others return what they have done themselves.

    Args:
        predictor: With ``keep_scales`` where ``settings.save`` needs it.
        images: What ``find_images`` found.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; made where it is not.
        settings: What is written.
        console: For progress; None for none.
        finish: Writes the page, ``index.html``, before another run may have the folder.
        left_out: What is listed as skipped besides, and why.
        workers: Who does the images instead of this process.
        before: Told of the images that are left to do, before any is run; in the first process.

    Raises:
        UsageError: ``out`` holds outputs that were made with other weights or settings, or files
            under the names of outputs that no run has written.
        UserError: Another run writes into ``out``.
        OSError: The outputs cannot be written.
        KeyboardInterrupt: As it came, once the summary of what is done is written.
    """
    rank = own_rank()
    with FolderLock(out) if rank == 0 else nullcontext():
        # Absolute, so that a run from another folder knows them again; links keep their own names.
        paths = [Path(os.path.abspath(image)) for image in images]  # noqa: PTH100
        described = describe_outputs(predictor, settings)
        if rank == 0:
            summary, plan = _prepare(predictor, paths, out, settings, described, finish is not None)
            under_way = UnderWay(out, settings.overwrite)
            _begin(plan, before)
        else:
            plan = cast(_Plan, tell_all(None))
            summary = Summary.begin_share(out, described, rank)
            under_way = UnderWay(out)
        policy = _ImagePolicy(out, settings, summary, _list_scales(predictor, settings))
        job = Job(policy, summary, out, settings.batch, settings.workers)
        total = len(plan.waiting) + len(left_out)
        try:
            with (
                pixels_counted_here(),
                RunProgress(total, console, each=count_processes()) as job.progress,
                under_way as policy.under_way,
            ):
                policy.say = job.progress.say
                if rank == 0:
                    under_way.forget(set(paths).difference(image.path for image in plan.waiting))
                _segment(job, summary, predictor, plan.waiting, left_out, under_way, workers)
            summary.complete = True
            if chosen := describe_engine(predictor.engine):
                summary.about["engine"] = chosen
        except KeyboardInterrupt:
            raise interrupted_after(f"{len(summary.records)} images", settings.overwrite) from None
        finally:
            if rank == 0:
                job.sort(map(str, paths))
                _finish(summary, predictor, out, settings)
            else:
                summary.end_share()
        if finish is not None and rank == 0:
            finish(summary)
    return summary


class Elsewhere(NamedTuple):
    """Workers who do the images.

    Attributes:
        workers: Where they are hired.
        load: Gives a predictor there, as this process's; it can be sent.
    """

    workers: Workers
    load: Callable[[], Predictor]


class _Image(NamedTuple):
    """An image, and what its outputs are called."""

    path: Path
    name: str = ""


def _finish(summary: Summary, predictor: Predictor, out: Path, settings: RunSettings) -> None:
    """Write what belongs to all images. Where the run ends early, why it does is to be said: what
    cannot be written then is a warning beside it.
    """
    summary.finish(out)
    try:
        write_shared(summary.records.values(), predictor.label_space, out, settings.save)
    except (UserError, OSError) as error:
        if summary.complete:
            raise
        warnings.warn(f"what belongs to all images was not written: {error}", stacklevel=2)


class _Plan(NamedTuple):
    """What there is to do, the same in all processes."""

    waiting: list[_Image]


def _begin(plan: _Plan, before: Callable[[Sequence[Path]], object] | None) -> None:
    """Let whoever asked for it, and the other processes, know what there is to do."""
    if before is not None:
        before([image.path for image in plan.waiting])
    tell_all(plan)


def _prepare(
    predictor: Predictor,
    paths: Sequence[Path],
    out: Path,
    settings: RunSettings,
    described: Mapping[str, object],
    has_page: bool,
) -> tuple[Summary, _Plan]:
    """Take up what an earlier run has done, see what is left, and make the folders."""
    remove_leftovers(out)
    summary = Summary.open(out, described, settings.overwrite)
    summary.about = settings.describe(predictor.label_space)
    taken = {Path(record.source): record.name for record in summary.records.values()}
    names = assign_names(paths, taken)
    job = Job(_ImagePolicy(out, settings, summary), summary, out, settings.batch)
    waiting = job.list_waiting(_Image(path, names[path]) for path in paths)
    files = [LEGEND, *([PAGE] if has_page else [])]
    files += list_shared(settings.save)
    files += list_run_files(predictor, settings.save, [image.name for image in waiting])
    claimed = claim_files(out, files, summary, settings.overwrite, paths)
    out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
    summary.begin(out)
    summary.claim(claimed)
    write_legend(predictor.label_space, out)
    return summary, _Plan(waiting)


def _list_scales(predictor: Predictor, settings: RunSettings) -> tuple[float, ...]:
    """The scales that outputs are written of."""
    return predictor.scales if NEEDS_SCALES & set(settings.save) else ()


class _ImagePolicy(Policy[_Image, ImageRecord]):
    """What a folder run does with an image.

    Attributes:
        summary: Where its files are claimed; None in a worker, for which that is done.
        under_way: What of it a killed run is known by; None in a worker.
    """

    def __init__(
        self,
        out: Path,
        settings: RunSettings,
        summary: Summary | None = None,
        scales: Sequence[float] = (),
    ) -> None:
        self.out, self.settings, self.summary, self.scales = out, settings, summary, scales
        self.under_way: UnderWay | None = None
        self._facts: dict[Path, str] = {}

    def key(self, item: _Image) -> str:
        return str(item.path)

    def list_files(self, record: ImageRecord) -> Sequence[str]:
        return record.files

    def find_source(self, record: ImageRecord) -> Source:
        return Source(Path(record.source), FileStatus(record.bytes, record.modified))

    def locate(self, item: _Image) -> Path:
        return item.path

    def read(self, item: _Image) -> Pixels:
        return read_image(item.path, self.settings.max_pixels)

    def claim(self, item: _Image, prediction: Prediction) -> None:
        self._claim(item, [*(prediction.per_scale or {}), *(prediction.attention or {})])

    def claim_ahead(self, item: _Image) -> None:
        self._claim(item, self.scales)

    def _claim(self, item: _Image, scales: Sequence[float]) -> None:
        if self.summary is not None:
            save = self.settings.save
            files = list_outputs(item.name, save, scales), list_panels(item.name, save, scales)
            self.summary.claim([*files[0], *files[1]], self.key(item))

    def give_back(self, item: _Image) -> None:
        if self.summary is not None:
            self.summary.give_back(self.key(item))

    def copy_for_worker(self) -> _ImagePolicy:
        return _ImagePolicy(self.out, self.settings)

    def write(
        self, item: _Image, prediction: Prediction, seconds: float, status: FileStatus
    ) -> ImageRecord:
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

    def divide(self, item: _Image, how: str, reason: str) -> None:
        self._facts[item.path] = f"run by {how}: {reason}"
        self.say(f"{self.key(item)}: {reason}; it is run by {how}")

    def begin(self, item: _Image) -> None:
        if self.under_way is not None:
            self.under_way.begin(item.path)

    def end(self, item: _Image, record: ImageRecord | None) -> None:
        if self.under_way is not None:
            self.under_way.end(item.path)
        for output, reason in ({} if record is None else record.unwritten).items():
            self.say(f"{self.key(item)} without {output}: {reason}")

    def describe(self, item: _Image) -> str:
        return self.key(item)


def _segment(
    job: Job[_Image, ImageRecord],
    summary: Summary,
    predictor: Predictor,
    images: Sequence[_Image],
    left_out: Mapping[Path, str],
    under_way: UnderWay,
    elsewhere: Elsewhere | None,
) -> None:
    """Segment images, those that a killed run had under way one by one at the end. Of several
    processes each takes its share, and the first what is left after all of them.
    """
    by_path = {image.path: image for image in images}
    together, alone, fatal = (
        [by_path[path] for path in paths] for paths in tell_all(under_way.divide(list(by_path)))
    )
    rank, processes = own_rank(), count_processes()
    if rank == 0:
        for path, reason in left_out.items():
            job.skip(_Image(Path(os.path.abspath(path))), reason)  # noqa: PTH100
        for image in fatal:
            job.skip(image, FATAL)
    if elsewhere is None:
        expect_images(predictor.engine, len(images), job.policy.say)
    else:
        before = list(summary.skipped)
        run_elsewhere(job, elsewhere.load, elsewhere.workers, together, alone)
        remove_leftovers(job.out)  # of workers that were lost
        summary.sort_skipped([*before, *map(job.policy.key, (*together, *alone))])
        return
    job.run(predictor, together[rank::processes])
    _, *others = gather(summary.share())
    if rank > 0:
        return
    if others:
        summary.take_over(others, job.out)
    for share in others:
        for source, reason in share.skipped.items():
            job.progress.say(f"skipped {source}: {reason}")
    under_way.alone = True
    for image in alone:
        job.progress.say(f"an earlier run ended while {image.path} was under way; alone now")
        job.run_readings(predictor, map(job.read, [image]))
