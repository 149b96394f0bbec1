from __future__ import annotations

from dataclasses import replace

import pytest

from hierseg.training.reporting.observer import Observer, Observers, StepReport

REPORT = StepReport(1, 2, 3, 10, 3, 5, {"loss": 1.5}, 0.01, 3.5, 70.0)


class Listener(Observer):
    """Notes what it is told.

    Args:
        curious: Wants every step.
        fails: Cannot bear the end.
    """

    def __init__(self, curious: bool = False, fails: bool = False) -> None:
        self.told: list[object] = []
        self._curious = curious
        self._fails = fails

    def wants_step(self) -> bool:
        return self._curious

    def on_step(self, report: StepReport) -> None:
        self.told.append(report.is_logged)

    def on_end(self, error: BaseException | None) -> None:
        self.told.append(error)
        if self._fails:
            raise OSError("no")


def test_steps_between_those_that_are_logged_go_to_who_wants_them() -> None:
    calm, curious = Listener(), Listener(curious=True)
    both = Observers([calm, Observers([curious])])
    assert both.wants_step()
    assert not Observers([calm]).wants_step()
    for is_logged in (True, False):
        both.on_step(replace(REPORT, is_logged=is_logged))
    assert (calm.told, curious.told) == ([True], [True, False])


def test_all_are_told_the_end_and_what_ended_it() -> None:
    first, second = Listener(fails=True), Listener()
    error = ValueError("lost")
    with pytest.raises(OSError, match="no"), Observers([first, second]):
        raise error
    assert first.told == second.told == [error]
