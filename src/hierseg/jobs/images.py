"""The policy of a folder run: every image that can be segmented is, the others are listed with why,
and whatever ends the run before its end, the next one goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from rich.console import Console

from hierseg.data import FileStatus
from hierseg.distributed import gather, tell_all
from hierseg.engines import describe_engine, expect_images
from hierseg.files import FolderLock, remove_leftovers
from hierseg.inference import Prediction, Predictor
from hierseg.jobs.job import Job, Policy, Source, interrupted_after
from hierseg.jobs.labelling import list_shared, write_shared
from hierseg.jobs.pipeline import Pixels
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.run_settings import RunSettings, describe_outputs
from hierseg.jobs.summary import Summary, claim_files
from hierseg.jobs.under_way import FATAL, UnderWay
from hierseg.jobs.writers import LEGEND, list_files, list_outputs, write_legend, write_outputs
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
            tell_all(plan)
        else:
            plan = cast(_Plan, tell_all(None))
            summary = Summary.begin_share(out, described, rank)
            under_way = UnderWay(out)
        policy = _ImagePolicy(out, settings, plan.names, summary)
        job = Job(policy, summary, out, settings.batch, settings.workers)
        total = len(plan.waiting) + len(left_out)
        try:
            with (
                pixels_counted_here(),
                RunProgress(total, console, each=count_processes()) as job.progress,
                under_way as policy.under_way,
            ):
                policy.say = job.progress.say
                expect_images(predictor.engine, len(plan.waiting), policy.say)
                if rank == 0:
                    under_way.forget(set(paths).difference(plan.waiting))
                _segment(job, summary, predictor, plan.waiting, left_out, under_way)
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


def _finish(summary: Summary, predictor: Predictor, out: Path, settings: RunSettings) -> None:
    """Write what belongs to all images."""
    summary.finish(out)
    write_shared(summary.records.values(), predictor.label_space, out, settings.save)


class _Plan(NamedTuple):
    """What there is to do, the same in all processes."""

    waiting: list[Path]
    names: dict[Path, str]


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
    job = Job(_ImagePolicy(out, settings, names, summary), summary, out, settings.batch)
    waiting = job.list_waiting(paths)
    files = [LEGEND, *([PAGE] if has_page else [])]
    files += list_shared(settings.save)
    files += list_files(predictor, settings.save, [names[path] for path in waiting])
    claimed = claim_files(out, files, summary, settings.overwrite, paths)
    out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
    summary.begin(out)
    summary.claim(claimed)
    write_legend(predictor.label_space, out)
    return summary, _Plan(waiting, dict(names))


class _ImagePolicy(Policy[Path, ImageRecord]):
    """What a folder run does with an image.

    Attributes:
        names: What the outputs of each image are called.
        under_way: What of it a killed run is known by.
        say: Takes a line for the reader.
    """

    under_way: UnderWay
    say: Callable[[str], None]

    def __init__(
        self, out: Path, settings: RunSettings, names: Mapping[Path, str], summary: Summary
    ) -> None:
        self.out, self.settings, self.names, self.summary = out, settings, names, summary
        self._facts: dict[Path, str] = {}

    def key(self, item: Path) -> str:
        return str(item)

    def list_files(self, record: ImageRecord) -> Sequence[str]:
        return record.files

    def find_source(self, record: ImageRecord) -> Source:
        return Source(Path(record.source), FileStatus(record.bytes, record.modified))

    def locate(self, item: Path) -> Path:
        return item

    def read(self, item: Path) -> Pixels:
        return read_image(item, self.settings.max_pixels)

    def claim(self, item: Path, prediction: Prediction) -> None:
        name, save = self.names[item], self.settings.save
        scales = [*(prediction.per_scale or {}), *(prediction.attention or {})]
        files = (*list_outputs(name, save, scales), *list_panels(name, save, scales))
        self.summary.claim(files, str(item))

    def write(
        self, item: Path, prediction: Prediction, seconds: float, status: FileStatus
    ) -> ImageRecord:
        record = write_outputs(
            prediction,
            self.out,
            self.names[item],
            self.settings.save,
            source=str(item),
            bytes=status.size,
            modified=status.modified,
            seconds=seconds,
            look=self.settings.look,
        )
        record.facts.extend(filter(None, [self._facts.pop(item, "")]))
        return record

    def divide(self, item: Path, how: str, reason: str) -> None:
        self._facts[item] = f"run by {how}: {reason}"
        self.say(f"{item}: {reason}; it is run by {how}")

    def begin(self, item: Path) -> None:
        self.under_way.begin(item)

    def end(self, item: Path, record: ImageRecord | None) -> None:
        self.under_way.end(item)
        for output, reason in ({} if record is None else record.unwritten).items():
            self.say(f"{item} without {output}: {reason}")

    def describe(self, item: Path) -> str:
        return str(item)


def _segment(
    job: Job[Path, ImageRecord],
    summary: Summary,
    predictor: Predictor,
    images: Sequence[Path],
    left_out: Mapping[Path, str],
    under_way: UnderWay,
) -> None:
    """Segment images, those that a killed run had under way one by one at the end. Of several
    processes each takes its share, and the first what is left after all of them.
    """
    together, alone, fatal = tell_all(under_way.divide(images))
    rank, processes = own_rank(), count_processes()
    if rank == 0:
        for path, reason in left_out.items():
            job.skip(Path(os.path.abspath(path)), reason)  # noqa: PTH100
        for path in fatal:
            job.skip(path, FATAL)
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
    for path in alone:
        job.progress.say(f"an earlier run ended while {path} was under way; alone now")
        job.run_readings(predictor, map(job.read, [path]))
