"""What is done already, what is skipped, and in which order, whatever the work is."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from hierseg.data.archive import FileStatus, get_status
from hierseg.errors import UserError
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.job import Job, Policy, Source
from hierseg.labels import LabelSpace
from hierseg.media.picture_writing import UnwritableError

Pixels = npt.NDArray[np.uint8]


class _Note(NamedTuple):
    name: str
    status: FileStatus


class _Ledger:
    def __init__(self) -> None:
        self.records: dict[str, _Note] = {}
        self.skipped: dict[str, str] = {}

    def add(self, record: _Note) -> None:
        self.records[record.name] = record

    def skip(self, key: str, reason: str) -> None:
        self.records.pop(key, None)
        self.skipped[key] = reason


class _Notes(Policy[Path, _Note]):
    """Writes a line of each image; the images are named after what goes wrong."""

    def __init__(self, out: Path, image: Pixels) -> None:
        self.out, self.image = out, image
        self.ended: list[tuple[str, bool]] = []

    def key(self, item: Path) -> str:
        return item.name

    def locate(self, item: Path) -> Path:
        return item

    def list_files(self, record: _Note) -> Sequence[str]:
        return [f"{record.name}.txt"]

    def find_source(self, record: _Note) -> Source:
        return Source(self.out.parent / record.name, record.status)

    def read(self, item: Path) -> Pixels:
        if "unreadable" in item.name:
            raise UserError("no image")
        return self.image

    def write(
        self, item: Path, prediction: Prediction, seconds: float, status: FileStatus
    ) -> _Note:
        if "refused" in item.name:
            raise UnwritableError(item, "too wide")
        if "elsewhere" in item.name:
            raise OSError(errno.EISDIR, "no", str(item))
        if "full" in item.name:
            raise OSError(errno.ENOSPC, "full")
        (self.out / f"{item.name}.txt").write_text("done")
        return _Note(item.name, status)

    def do(self, item: Path) -> _Note:
        self.read(item)
        time.sleep(0.05 if item.name == "a" else 0)  # the first is the last to be done
        return self.write(item, None, 0.0, get_status(item))  # type: ignore[arg-type]

    def end(self, item: Path, record: _Note | None) -> None:
        self.ended.append((item.name, record is not None))


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, label_space=space)


def _make(tmp_path: Path, image: Pixels, *names: str) -> tuple[Job[Path, _Note], list[Path]]:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    items = [tmp_path / name for name in names]
    for item in items:
        item.touch()
    return Job(_Notes(out, image), _Ledger(), out), items


def test_what_is_done_is_current_until_it_or_its_image_changes(
    tmp_path: Path, image: Pixels, predictor: Predictor
) -> None:
    job, items = _make(tmp_path, image, "a", "b", "c")
    assert job.list_waiting(items) == items
    job.run(predictor, items)
    assert job.list_waiting(items) == []
    assert job.ledger.records["a"].status == get_status(items[0])
    (tmp_path / "out/a.txt").unlink()
    items[1].write_text("anew")
    assert job.list_waiting(items) == items[:2]
    items[2].unlink()
    assert job.list_waiting(items) == items


def test_what_cannot_be_done_is_listed_with_the_reason(
    tmp_path: Path, image: Pixels, predictor: Predictor
) -> None:
    names = ("unreadable", "a", "refused", "elsewhere")
    job, items = _make(tmp_path, image, *names)
    job.ledger.records["unreadable"] = _Note("unreadable", FileStatus(9, 9))  # of an earlier run
    job.run(predictor, items)
    assert list(job.ledger.records) == ["a"]
    assert job.ledger.skipped["unreadable"] == "no image"
    assert job.ledger.skipped["refused"] == "cannot be written: too wide"
    assert job.ledger.skipped["elsewhere"].startswith("cannot be written: elsewhere: ")
    assert set(job.policy.ended) == {(name, name == "a") for name in names}  # type: ignore[attr-defined]


def test_a_full_disk_ends_it_and_what_is_done_stays(
    tmp_path: Path, image: Pixels, predictor: Predictor
) -> None:
    job, items = _make(tmp_path, image, "a", "full")
    with pytest.raises(OSError, match="full"):
        job.run(predictor, items)
    assert job.list_waiting(items) == items[1:]


def test_records_come_in_the_order_of_the_items(
    tmp_path: Path, image: Pixels, predictor: Predictor
) -> None:
    job, items = _make(tmp_path, image, "c", "a", "b")
    job.run(predictor, items)
    job.sort(["b", "absent", "a"])
    assert list(job.ledger.records) == ["b", "a", "c"]


@pytest.mark.parametrize("workers", [1, 3])
def test_items_that_need_no_network_are_done_and_noted_in_order(
    tmp_path: Path, image: Pixels, workers: int
) -> None:
    job, items = _make(tmp_path, image, "a", "unreadable", "b", "elsewhere", "refused", "c")
    job.workers = workers
    job.run_each(items)
    assert list(job.ledger.records) == ["a", "b", "c"]
    assert list(job.ledger.skipped) == ["unreadable", "elsewhere", "refused"]
    assert job.ledger.skipped["unreadable"] == "no image"
    assert job.list_waiting(items) == [items[1], items[3], items[4]]
    assert [name for name, done in job.policy.ended if done] == ["a", "b", "c"]  # type: ignore[attr-defined]


def test_a_full_disk_ends_them(tmp_path: Path, image: Pixels) -> None:
    job, items = _make(tmp_path, image, "a", "full", "c")
    with pytest.raises(OSError, match="full"):
        job.run_each(items)
    assert list(job.ledger.records) == ["a"]


def test_what_interrupts_items_leaves_those_before_noted(tmp_path: Path, image: Pixels) -> None:
    class Stopped(_Notes):
        def do(self, item: Path) -> _Note:
            if item.name == "b":
                raise KeyboardInterrupt
            return super().do(item)

    job, items = _make(tmp_path, image, "a", "b", "c")
    job.policy = Stopped(tmp_path / "out", image)
    with pytest.raises(KeyboardInterrupt):
        job.run_each(items)
    assert list(job.ledger.records) == ["a"]
