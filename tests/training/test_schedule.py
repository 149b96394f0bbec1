from __future__ import annotations

import pytest

from hierseg.config import OptimConfig
from hierseg.training.schedule import Schedule


def test_poly_falls_once_an_epoch_as_published() -> None:
    schedule = Schedule(epochs=4, steps_per_epoch=10, exponent=2.0)
    assert [schedule.factor(step) for step in (0, 9)] == [1.0, 1.0]
    assert schedule.factor(10) == pytest.approx(0.75**2)
    assert schedule.factor(19) == schedule.factor(10)
    assert schedule.factor(39) == pytest.approx(0.25**2)


def test_poly_falls_every_step_where_asked() -> None:
    schedule = Schedule(epochs=4, steps_per_epoch=10, exponent=0.5, unit="step")
    assert schedule.factor(0) == 1.0
    assert schedule.factor(10) == pytest.approx(0.75**0.5)
    assert schedule.factor(11) == pytest.approx((29 / 40) ** 0.5)
    assert schedule.factor(40) == 0.0
    assert schedule.factor(41) == 0.0


def test_warm_up_is_linear_and_multiplies_poly() -> None:
    schedule = Schedule(4, 10, exponent=1.0, unit="step", warmup_steps=5)
    assert schedule.factor(0) == pytest.approx(1 / 5)
    assert schedule.factor(3) == pytest.approx(4 / 5 * 37 / 40)
    assert schedule.factor(4) == pytest.approx(36 / 40)
    assert schedule.factor(5) == pytest.approx(35 / 40)


def test_the_configuration_says_all_of_it() -> None:
    config = OptimConfig(epochs=7, poly_exponent=1.5, schedule_unit="step", warmup_steps=3)
    assert Schedule.from_config(config, 11) == Schedule(7, 11, 1.5, "step", 3)
    config = OptimConfig(schedule="scl-poly", turn=3, turn_exponent=4.0, rescale=0.5)
    turning = Schedule(175, 11, 2.0, kind="scl-poly", turn=3, turn_exponent=4.0, rescale=0.5)
    assert Schedule.from_config(config, 11) == turning


def test_the_turning_schedules_as_published() -> None:
    vplr = Schedule(175, 10, 1.0, kind="scl-poly", turn=100, turn_exponent=1.5, rescale=2.0)
    assert vplr.factor(990) == pytest.approx(1 - 99 / 175)
    assert vplr.factor(1000) == pytest.approx(2.0)
    assert vplr.factor(1300) == pytest.approx(2 * (1 - 30 / 75) ** 1.5)
    doubled = Schedule(180, 10, 1.5, kind="poly2", turn=110)
    assert doubled.factor(1090) == pytest.approx((1 - 109 / 180) ** 1.5)
    assert doubled.factor(1100) == pytest.approx((1 - 110 / 180) ** 3)
    within = Schedule(180, 10, 1.5, "step", kind="poly2", turn=110)
    assert within.factor(1105) == pytest.approx((1 - 110.5 / 180) ** 3)


def test_cosine_falls_to_zero() -> None:
    schedule = Schedule(4, 10, exponent=9.0, unit="step", kind="cosine")
    factors = [schedule.factor(step) for step in (0, 10, 20, 40)]
    assert factors == pytest.approx([1.0, 0.5 + 0.5**1.5, 0.5, 0.0])
