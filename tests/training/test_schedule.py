from __future__ import annotations

import pytest

from hierseg.config import OptimConfig
from hierseg.training import PolySchedule


def test_poly_falls_once_an_epoch_as_published() -> None:
    schedule = PolySchedule(epochs=4, steps_per_epoch=10, exponent=2.0)
    assert [schedule.factor(step) for step in (0, 9)] == [1.0, 1.0]
    assert schedule.factor(10) == pytest.approx(0.75**2)
    assert schedule.factor(19) == schedule.factor(10)
    assert schedule.factor(39) == pytest.approx(0.25**2)


def test_poly_falls_every_step_where_asked() -> None:
    schedule = PolySchedule(epochs=4, steps_per_epoch=10, exponent=0.5, unit="step")
    assert schedule.factor(0) == 1.0
    assert schedule.factor(10) == pytest.approx(0.75**0.5)
    assert schedule.factor(11) == pytest.approx((29 / 40) ** 0.5)
    assert schedule.factor(40) == 0.0
    assert schedule.factor(41) == 0.0


def test_warm_up_is_linear_and_multiplies_poly() -> None:
    schedule = PolySchedule(4, 10, exponent=1.0, unit="step", warmup_steps=5)
    assert schedule.factor(0) == pytest.approx(1 / 5)
    assert schedule.factor(3) == pytest.approx(4 / 5 * 37 / 40)
    assert schedule.factor(4) == pytest.approx(36 / 40)
    assert schedule.factor(5) == pytest.approx(35 / 40)


def test_the_configuration_says_all_of_it() -> None:
    config = OptimConfig(epochs=7, poly_exponent=1.5, schedule_unit="step", warmup_steps=3)
    assert PolySchedule.from_config(config, 11) == PolySchedule(7, 11, 1.5, "step", 3)
