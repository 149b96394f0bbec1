"""Items spread over workers, with a stand-in for them that works in this process."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import pytest

from hierseg.errors import UsageError, UserError
from hierseg.jobs.on_ray import Division, divide
from hierseg.jobs.spreading import LOST, Answer, Spreading
from hierseg.jobs.worker import Reply, Report


class Workers:
    """Do an item an exchange; ``loses`` are calls with which a worker is lost."""

    def __init__(self, size: int, loses: Sequence[int] = (), poison: str = "") -> None:
        self.size, self.loses, self.poison = size, set(loses), poison
        self.calls = 0
        self.answers: deque[Answer] = deque()
        self.has: dict[int, list[str]] = {}
        self.seen = Counter[str]()
        self.most = 0

    def start(self, worker: int) -> None:
        self.has[worker] = []
        self.answers.append(Answer(worker, Reply([])))

    def exchange(self, worker: int, items: Sequence[str | None]) -> None:
        has = self.has[worker]
        has += [item for item in items if item is not None]
        self.most = max(self.most, len(has))
        self.calls += 1
        if self.calls in self.loses or (has and has[0] == self.poison):
            self.answers.append(Answer(worker, None, "killed"))
            return
        done = [has.pop(0)] if has else []
        self.seen.update(done)
        self.answers.append(Answer(worker, Reply([Report(item, f"of {item}") for item in done])))

    def wait(self, seconds: float) -> list[Answer]:
        return [self.answers.popleft()]


def spread(workers: Workers, items: Sequence[str], batch: int = 1) -> list[Report]:
    taken: list[Report] = []
    groups = [list(items[start : start + batch]) for start in range(0, len(items), batch)]
    Spreading(workers, str, taken.append, batch).run(groups)
    return taken


ITEMS = [f"item{number}" for number in range(90)]


@pytest.mark.parametrize("loses", [(), (3, 40, 70), (1, 2)])
def test_every_item_is_taken_once_whatever_is_lost(loses: tuple[int, ...]) -> None:
    workers = Workers(2, loses)
    taken = spread(workers, ITEMS)
    assert sorted(report.key for report in taken) == sorted(ITEMS)
    assert all(report.content == f"of {report.key}" for report in taken)
    assert set(workers.seen.values()) == {1}  # what was told is not done again


def test_a_worker_has_no_more_than_it_can_do_soon() -> None:
    workers = Workers(2)
    spread(workers, [f"{number}" for number in range(9000)])
    assert workers.most < 5000


def test_an_item_that_takes_its_worker_along_is_given_up_and_no_other() -> None:
    taken = spread(Workers(1, poison="item7"), ITEMS)
    assert [report for report in taken if report.content is None] == [
        Report("item7", reason=LOST, touched=True)
    ]
    assert len({report.key for report in taken}) == len(taken) == 90


def test_workers_that_are_lost_one_after_the_other_end_the_run() -> None:
    with pytest.raises(UserError, match=r"one after the other.*\(killed\)"):
        spread(Workers(2, range(1, 1000)), ITEMS)


def test_what_a_worker_fails_with_ends_the_run() -> None:
    workers = Workers(1)
    workers.exchange = lambda worker, items: workers.answers.append(  # type: ignore[method-assign]
        Answer(worker, Reply([], UserError("no such weights.")))
    )
    with pytest.raises(UserError, match="no such weights"):
        spread(workers, ITEMS)


def test_resources_are_divided_by_machine() -> None:
    assert divide([{"CPU": 2}], 2, True) == Division(2, 1, 0)
    assert divide([{"CPU": 8}, {"CPU": 4}], None, True) == Division(3, 4, 0)
    assert divide([{"CPU": 3}, {"CPU": 3}], 4, True) == Division(4, 1, 0)
    assert divide([{"CPU": 16, "GPU": 2}, {"CPU": 8}], None, True) == Division(2, 4, 1)
    assert divide([{"CPU": 16, "GPU": 2}], 3, False) == Division(3, 5, 0)
    with pytest.raises(UsageError, match="--actors 3: Ray has 2 CPUs"):
        divide([{"CPU": 2}], 3, True)
