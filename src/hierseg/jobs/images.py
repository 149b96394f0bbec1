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
        mirrors: Of images and outputs that are at URLs.
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
    """Workers who do the images.

    Attributes:
        workers: Where they are hired.
        load: Gives a predictor there, as this process's; it can be sent.
    """

    workers: Workers
    load: Callable[[], Predictor]


def _complete(summary: Summary, predictor: Predictor) -> None:
    """Say that all is done, and by what."""
    summary.complete = True
    if chosen := describe_engine(predictor.engine):
        summary.about["engine"] = chosen


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

    waiting: list[Image]

    def show(self, console: Console | None, left_out: int) -> RunProgress:
        """How far it is, with so many images that are not to be done."""
        return RunProgress(len(self.waiting) + left_out, console, each=count_processes())


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
    has_page: bool,
    mirrors: Mirrors,
) -> tuple[Summary, _Plan]:
    """Take up what an earlier run has done, see what is left, and make the folders."""
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
    """The scales that outputs are written of."""
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
        job.progress.say(f"an earlier run ended while {image.path} was under way; alone now")
        job.run_readings(predictor, map(job.read, [image]))
