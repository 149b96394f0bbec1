"""Runs a job on remote workers, which read, run and write its items; the ledger stays here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np

from hierseg.data import read_image_header
from hierseg.errors import UserError
from hierseg.inference import Predictor
from hierseg.jobs.job import Job, Policy, Written
from hierseg.jobs.pipeline import WORKERS, Reading, group_by_size
from hierseg.jobs.spreading import Crew, Spreading
from hierseg.jobs.worker import Hands, Report
from hierseg.media import UnwritableError, pixels_counted_here
from hierseg.urls import HERE, Mirrors

Item = TypeVar("Item")
Record = TypeVar("Record")


class Workers(Protocol):
    """A source of remote workers."""

    def hire(self, make: Callable[[], Hands[Item]]) -> AbstractContextManager[Crew[Item]]:
        """A context that gives workers for one job; ``make`` is called in each."""


@dataclass(frozen=True)
class JobPlan(Generic[Item, Record]):
    """All that a remote worker needs to do items of a job; it can be pickled.

    Attributes:
        load: Loads the predictor in the worker.
        policy: What is done with an item.
        out: Folder of the outputs.
        batch: Most items of one size that the network runs at once.
        workers: Number of threads that read, and of threads that write.
        mirrors: Mirrors of sources and outputs at URLs.
    """

    load: Callable[[], Predictor]
    policy: Policy[Item, Record]
    out: Path
    batch: int = 1
    workers: int = WORKERS
    mirrors: Mirrors = HERE

    def __call__(self) -> Hands[Item]:
        """Load the predictor, and return what does the items."""
        return _JobHands(self)


class _JobHands(Hands[Item]):
    """Does items of a job, and reports them instead of recording them."""

    def __init__(self, plan: JobPlan[Item, Any]) -> None:
        self._job = _ReportingJob(plan)
        if plan.mirrors.out is not None:
            plan.policy.prepare_there()
        self._predictor = plan.load()

    def run(self, items: Iterable[Item], report: Callable[[Report], None]) -> None:
        """See ``Hands``."""
        self._job.report = report
        with pixels_counted_here():
            self._job.run(self._predictor, items)


class _NoLedger:
    """A ledger that records nothing, since the records are kept by the caller."""

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}
        self.skipped: dict[str, str] = {}

    def add(self, record: Any) -> None:
        """Do nothing."""

    def skip(self, key: str, reason: str) -> None:
        """Do nothing."""


class _ReportingJob(Job[Item, Record]):
    """A job that reports its items as done or skipped."""

    report: Callable[[Report], None]

    def __init__(self, plan: JobPlan[Item, Record]) -> None:
        super().__init__(plan.policy, _NoLedger(), plan.out, plan.batch, plan.workers, plan.mirrors)
        self._notes: list[str] = []
        plan.policy.say = self._notes.append

    def skip(self, item: Item, reason: str) -> None:
        """Report an item as skipped."""
        self._report(item, Report("", reason=reason))

    def _finish(self, written: Written[Item, Record]) -> None:
        if isinstance(written.record, UnwritableError):
            reason = f"cannot be written: {written.record.reason}"
            self._report(written.item, Report("", reason=reason, touched=True))
        else:
            self._report(written.item, Report("", written.record))

    def _report(self, item: Item, report: Report) -> None:
        self._status.pop(self.policy.key(item), None)
        notes = tuple(self._notes)
        self._notes.clear()
        self.report(report._replace(key=self.policy.key(item), notes=notes))


def run_elsewhere(
    job: Job[Item, Record],
    load: Callable[[], Predictor],
    workers: Workers,
    items: Sequence[Item],
    alone: Sequence[Item] = (),
) -> None:
    """Do items on remote workers, and record what they report.

    The files that a worker may write for an item are claimed before the worker gets it. Items of
    one size go to one worker in the batches in which they would be run here.

    Args:
        job: The job, whose ledger records the items.
        load: Loads the predictor in a worker.
        workers: The source of workers.
        items: The items to do.
        alone: Items that are run after all others, alone in their worker.

    Raises:
        UserError: A worker fails, or workers are lost one after the other.
        OSError: A worker cannot write.
    """
    if not (items or alone):
        return
    policy = job.policy
    left = {policy.key(item): item for item in (*items, *alone)}

    def take(report: Report) -> None:
        item = left.pop(report.key)
        for note in report.notes:
            job.progress.say(note)
        if report.content is None:
            if not report.touched:
                policy.give_back(item)
            job.skip(item, report.reason)
            return
        record = cast(Record, report.content)
        job.note(record)
        policy.end(item, record)
        job.progress.advance()

    def claim(groups: Iterable[list[Item]]) -> Iterator[list[Item]]:
        for group in groups:
            for item in group:
                policy.claim_ahead(item)
            yield group

    for item in alone:
        policy.claim_ahead(item)
    copied = policy.copy_for_worker()
    plan = JobPlan(load, copied, job.out, job.batch, job.workers, job.mirrors)
    with workers.hire(plan) as crew:
        spreading = Spreading(crew, policy.key, take, job.batch, job.progress.say)
        spreading.run(claim(_group(job, items)), alone)


def _group(job: Job[Item, Any], items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group items that are run together, by the sizes in their headers."""
    if job.batch == 1:
        return ([item] for item in items)
    groups = group_by_size((_look_at(job.policy, item) for item in items), job.batch)
    return ([reading.item for reading in group] for group in groups)


def _look_at(policy: Policy[Item, Any], item: Item) -> Reading[Item]:
    """A reading of an item, for its size; the pixels are zeros."""
    path = policy.locate(item)
    try:
        if path is None:
            raise UserError("it has no file")
        size = read_image_header(path).size
    except (UserError, OSError) as error:
        return Reading(item, UserError(str(error)))
    return Reading(item, np.broadcast_to(np.uint8(0), (*size, 3)))
