"""Propagates the labels of all labelled frames; continues an earlier run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from rich.console import Console

from hierseg.data import (
    FileStatus,
    PropagatedFrame,
    PropagatedHeader,
    PropagatedRecord,
    get_status,
)
from hierseg.errors import UserError
from hierseg.flow import FlowEstimator
from hierseg.jobs import Job, Policy, RunProgress, Source, interrupted_after
from hierseg.propagation.chains import Made, Rules, propagate_frame
from hierseg.propagation.frames import Anchor, FrameSource
from hierseg.propagation.ledger import PropagationLedger, list_record_files
from hierseg.propagation.outputs import write_description, write_made
from hierseg.propagation.samples_page import write_samples_page

_HELD = 4  # frames of a clip that are kept decoded; a step asks for four


@dataclass(frozen=True)
class PropagationSummary:
    """The outcome of ``propagate``.

    Attributes:
        labelled: Number of labelled frames that were propagated.
        alone: Number of labelled frames that were written unchanged.
        made: Number of frames propagated from them.
        kept: Absolute step -> share of the pixels that have a class, in [0, 1].
        problems: Sentences about labelled frames that were propagated over fewer steps.
        skipped: Key -> the reason why a label map was not propagated at all.
        page: The page of samples; None without samples.
    """

    labelled: int
    alone: int
    made: int
    kept: dict[int, float]
    problems: tuple[str, ...]
    skipped: dict[str, str]
    page: Path | None


def propagate(
    source: FrameSource,
    out: Path,
    estimator: FlowEstimator,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    console: Console | None = None,
    overwrite: bool = False,
    workers: int = 1,
    samples: int = 12,
) -> PropagationSummary:
    """Propagate labels to the frames around labelled ones, and write all as a data set (VPLR, arXiv
    1812.01593; METHOD section 8).

    Labelled frames that an earlier run in this folder has finished are not done again. Files appear
    whole, and every label map before its image.

    Args:
        source: Frames, some of them labelled.
        out: Folder of the data set, in Cityscapes' layout or described by its
            ``propagated.json``.
        estimator: The flow estimator.
        rules: How labels are propagated.
        console: The console for progress; None shows none.
        overwrite: Start again, even in a folder that holds something else.
        workers: Number of threads; each works on one labelled frame.
        samples: Most labelled frames on the page ``index.html``; 0 for no page.

    Raises:
        UsageError: ``out`` holds something else, or frames that were made with other settings.
        UserError: Another process works in ``out``.
        OSError: ``out`` cannot be written.
        KeyboardInterrupt: The run was interrupted; finished labelled frames are recorded.
    """
    settings = {
        **source.about, **dataclasses.asdict(rules), "flow": estimator.fingerprint(),
    }  # fmt: skip
    header = PropagatedHeader(source.data, source.label_space, settings)
    out.mkdir(parents=True, exist_ok=True)
    with PropagationLedger(out, header, overwrite) as ledger:
        policy = _Propagation(source, out, estimator, rules, ledger.work)
        job = Job(policy, ledger, out, workers=workers if source.threads else 1)
        waiting = [
            anchor
            for anchor in source.anchors  # missing frames may have been added since
            if not job.is_done(anchor) or ledger.records[anchor.key].problems
        ]
        doing = "propagating"
        try:
            with RunProgress(len(waiting), console, "labelled frames", doing=doing) as job.progress:
                job.run_each(waiting)
        except KeyboardInterrupt:
            done = f"{len(ledger.records)} of {len(source.anchors)} labelled frames"
            raise interrupted_after(done, overwrite) from None
        return _finish(job, source, ledger, samples)


def _finish(
    job: Job[Anchor, PropagatedRecord], source: FrameSource, ledger: PropagationLedger, samples: int
) -> PropagationSummary:
    """Write the records in order, the description and the page; returns the summary."""
    keys = [anchor.key for anchor in source.anchors]
    ledger.records = {key: ledger.records[key] for key in keys if key in ledger.records}
    ledger.skipped = {**source.skipped, **{k: r for k, r in ledger.skipped.items() if k in keys}}
    ledger.write(dataclasses.replace(ledger.header, complete=True))
    records = list(ledger.records.values())
    write_description(job.out, source.data, source.label_space, records)
    page = write_samples_page(source, job.out, ledger, samples) if samples else None
    alone = sum(anchor.alone and anchor.key in ledger.records for anchor in source.anchors)
    shares: dict[int, list[float]] = {}
    for record in records:
        for frame in record.frames:
            shares.setdefault(abs(frame.step), []).append(frame.kept)
    return PropagationSummary(
        labelled=len(records) - alone,
        alone=alone,
        made=sum(len(record.frames) - 1 for record in records),
        kept={step: sum(own) / len(own) for step, own in sorted(shares.items())},
        problems=tuple(problem for record in records for problem in record.problems),
        skipped=ledger.skipped,
        page=page,
    )


class _Propagation(Policy[Anchor, PropagatedRecord]):
    """Propagates a labelled frame."""

    def __init__(
        self, source: FrameSource, out: Path, estimator: FlowEstimator, rules: Rules, work: Path
    ) -> None:
        self._source, self._out, self._work = source, out, work
        self._estimator, self._rules = estimator, rules

    def key(self, item: Anchor) -> str:
        return item.key

    def list_files(self, record: PropagatedRecord) -> Sequence[str]:
        return list_record_files(record)

    def find_source(self, record: PropagatedRecord) -> Source:
        return Source(Path(record.source), FileStatus(record.bytes, record.modified))

    def describe(self, item: Anchor) -> str:
        return item.key

    def do(self, item: Anchor) -> PropagatedRecord:
        source, space = self._source, self._source.label_space
        status = get_status(item.label)
        read = lru_cache(_HELD)(partial(source.read, item))
        labels = source.read_labels(item)
        size = read(0).pixels.shape[:2]
        if labels.shape != size:
            raise UserError(
                f"'{item.label}' is {labels.shape[0]}x{labels.shape[1]} and its frame is "
                f"{size[0]}x{size[1]}; give both the same size."
            )
        problems: list[str] = []
        is_void = space.encode(labels) == space.ignore
        rules = dataclasses.replace(self._rules, steps=0) if item.alone else self._rules
        chain = propagate_frame(
            read, labels, is_void, space.void_raw_id, self._estimator, rules, problems.append
        )
        frames = [self._write(item, made) for made in chain]
        return PropagatedRecord(
            key=item.key,
            split=item.split,
            source=str(item.label),
            bytes=status.size,
            modified=status.modified,
            frames=tuple(sorted(frames, key=lambda frame: frame.step)),
            problems=tuple(problems),
        )

    def _write(self, item: Anchor, made: Made) -> PropagatedFrame:
        source = self._source
        name = source.name_frame(item, made.step)
        return write_made(
            made, self._out, source.data, item.split, name, source.label_space, self._work
        )
