"""Segments images into a folder. Images that cannot be segmented are skipped with a reason, and a
run that ended early is continued by the next one.
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

from hierseg.distributed import gather, tell_all
from hierseg.engines import describe_engine, expect_images
from hierseg.errors import UserError
from hierseg.files import FolderLock, remove_leftovers
from hierseg.inference import Predictor
from hierseg.jobs.elsewhere import Workers, run_elsewhere
from hierseg.jobs.image_policy import Image, ImagePolicy
from hierseg.jobs.job import Job, interrupted_after
from hierseg.jobs.labelling import list_shared, write_shared
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.run_settings import RunSettings, describe_outputs
from hierseg.jobs.summary import Summary, claim_files
from hierseg.jobs.under_way import FATAL, UnderWay
from hierseg.jobs.writers import (
    LEGEND,
    NEEDS_SCALES,
    list_run_files,
    write_legend,
)
from hierseg.media import assign_names, pixels_counted_here
from hierseg.pages import FILE as PAGE
from hierseg.pages import FOLDER, ImageRecord
from hierseg.processes import count_processes, own_rank
from hierseg.urls import HERE, Mirrors


def run_folder(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    settings: RunSettings,
    console: Console | None = None,
    finish: Callable[[Summary], object] | None = None,
    left_out: Mapping[Path, str] = MappingProxyType({}),
    workers: Elsewhere | None = None,
    mirrors: Mirrors = HERE,
    before: Callable[[Sequence[Path]], object] | None = None,
) -> Summary:
    """Segment images into a folder; images that an earlier run there has done are not done again.

    With several processes each does its share. The first writes the summary and the page of all
    images; the others return the summary of their share.

    Args:
        predictor: The predictor, with ``keep_scales`` if ``settings.save`` needs it.
        images: The images, as ``find_sources`` finds them.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; created if missing.
        settings: The outputs.
        console: Where progress is shown; None for nowhere.
        finish: Writes the page, ``index.html``, while the folder is still locked.
        left_out: Further files that are listed as skipped -> why.
        workers: Remote workers that do the images instead of this process.
        mirrors: Mirrors of images and outputs at URLs.
        before: Called in the first process with the images that are left to do, before any is run.

    Returns:
        The summary of all images that are done.

    Raises:
        UsageError: ``out`` holds outputs that were made with other weights or settings, or files
            with the names of outputs that no run has written.
        UserError: Another run writes into ``out``.
        OSError: The outputs cannot be written.
        KeyboardInterrupt: The run was interrupted; the summary of what is done is written.
    """
    rank = own_rank()
    with FolderLock(out) if rank == 0 else nullcontext():
        # Absolute, so that a run from another folder recognises them; links are not resolved.
        paths = [Path(os.path.abspath(image)) for image in images]  # noqa: PTH100
        if rank == 0:
            summary, plan = _prepare(predictor, paths, out, settings, finish is not None, mirrors)
            under_way = UnderWay(out, settings.overwrite)
            _begin(plan, before)
        else:
            plan = cast(_Plan, tell_all(None))
            summary = Summary.begin_share(out, describe_outputs(predictor, settings), rank)
            under_way = UnderWay(out)
        policy = ImagePolicy(out, settings, summary, _list_scales(predictor, settings), mirrors)
        policy.claim_there(plan.waiting)
        job = Job(policy, summary, out, settings.batch, settings.workers, mirrors)
        try:
            with (
                pixels_counted_here(),
                plan.show(console, len(left_out)) as job.progress,
                under_way as policy.under_way,
            ):
                policy.say = job.progress.say
                if rank == 0:
                    under_way.forget(set(paths).difference(image.path for image in plan.waiting))
                _segment(job, summary, predictor, plan.waiting, left_out, under_way, workers)
            _complete(summary, predictor)
        except KeyboardInterrupt:
            raise interrupted_after(f"{len(summary.records)} images", settings.overwrite) from None
        finally:
            if rank == 0:
                job.sort(map(mirrors.name, paths))
                _finish(summary, predictor, out, settings)
            else:
                summary.end_share()
        if finish is not None and rank == 0:
            finish(summary)
    return summary


class Elsewhere(NamedTuple):
    """Remote workers that do the images.

    Attributes:
        workers: The source of workers.
        load: Loads a predictor like this process's in a worker; it can be pickled.
    """

    workers: Workers
    load: Callable[[], Predictor]


def _complete(summary: Summary, predictor: Predictor) -> None:
    """Mark the summary as complete, and note the engine."""
    summary.complete = True
    if chosen := describe_engine(predictor.engine):
        summary.about["engine"] = chosen


def _finish(summary: Summary, predictor: Predictor, out: Path, settings: RunSettings) -> None:
    """Write the summary and the files that belong to all images. If the run ended early, a file
    that cannot be written is only a warning, so that the error that ended it is reported.
    """
    summary.finish(out)
    try:
        write_shared(summary.records.values(), predictor.label_space, out, settings.save)
    except (UserError, OSError) as error:
        if summary.complete:
            raise
        warnings.warn(f"what belongs to all images was not written: {error}", stacklevel=2)


class _Plan(NamedTuple):
    """The images to do, the same in all processes."""

    waiting: list[Image]

    def show(self, console: Console | None, left_out: int) -> RunProgress:
        """The progress display; ``left_out`` further images are skipped."""
        return RunProgress(len(self.waiting) + left_out, console, each=count_processes())


def _begin(plan: _Plan, before: Callable[[Sequence[Path]], object] | None) -> None:
    """Tell the caller and the other processes which images are to be done."""
    if before is not None:
        before([image.path for image in plan.waiting])
    tell_all(plan)


def _prepare(
    predictor: Predictor,
    paths: Sequence[Path],
    out: Path,
    settings: RunSettings,
    has_page: bool,
    mirrors: Mirrors,
) -> tuple[Summary, _Plan]:
    """Read what an earlier run has done, find what is left, and create the folders."""
    remove_leftovers(out)
    summary = Summary.open(out, describe_outputs(predictor, settings), settings.overwrite)
    summary.about = settings.describe(predictor.label_space)
    taken = {mirrors.place(one.source): one.name for one in summary.records.values()}
    names = assign_names(paths, taken)
    policy = ImagePolicy(out, settings, summary, mirrors=mirrors)
    job = Job(policy, summary, out, settings.batch)
    waiting = job.list_waiting(Image(path, names[path]) for path in paths)
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
    """The scales whose own outputs are written."""
    return predictor.scales if NEEDS_SCALES & set(settings.save) else ()


def _segment(
    job: Job[Image, ImageRecord],
    summary: Summary,
    predictor: Predictor,
    images: Sequence[Image],
    left_out: Mapping[Path, str],
    under_way: UnderWay,
    elsewhere: Elsewhere | None,
) -> None:
    """Segment images; those that a killed run was segmenting come last, one by one. With several
    processes each does its share, and the first does these last ones.
    """
    by_path = {image.path: image for image in images}
    together, alone, fatal = (
        [by_path[path] for path in paths] for paths in tell_all(under_way.divide(list(by_path)))
    )
    rank, processes = own_rank(), count_processes()
    if rank == 0:
        for path, reason in left_out.items():
            job.skip(Image(Path(os.path.abspath(path))), reason)  # noqa: PTH100
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
        job.progress.say(f"an earlier run ended at {image.path}; it is now run alone")
        job.run_readings(predictor, map(job.read, [image]))
