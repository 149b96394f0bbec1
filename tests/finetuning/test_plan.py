"""Epochs, crops and rates by counts alone."""

from __future__ import annotations

import dataclasses
from math import ceil
from pathlib import Path

import pytest

from hierseg.assembly.checks import check_experiment
from hierseg.errors import UsageError
from hierseg.finetuning.choices import Choices
from hierseg.finetuning.machine import Machine, find_machine
from hierseg.finetuning.plan import CPU_AREA, Plan, make_experiment, make_plan
from hierseg.size import Size

CPU = Machine("cpu", 2, has_bf16=True)
GPU = Machine("cuda", 16, 80 << 30, has_bf16=True)
ASKED = Choices("streetlite", device="cpu")


@pytest.mark.parametrize("machine", [CPU, GPU])
@pytest.mark.parametrize("size", [Size(64, 64), Size(360, 480), Size(3000, 4000), Size(1920, 1080)])
@pytest.mark.parametrize("images", [2, 3, 7, 32, 400, 20000])
def test_a_plan_can_be_trained_by(machine: Machine, size: Size, images: int) -> None:
    plan = make_plan(images, size, machine, ASKED)
    assert 1 <= plan.batch <= images
    assert plan.steps == plan.epochs * (images // plan.batch)
    assert plan.warmup <= plan.steps / 4
    assert 0 <= plan.ema < 1
    assert 1 <= plan.every <= plan.epochs
    assert plan.crop.height % 32 == plan.crop.width % 32 == 0
    values = plan.batch * ceil(plan.crop.height / 64) * ceil(plan.crop.width / 64)
    assert values >= 4  # of a channel, for batch norm
    check_experiment(make_experiment(plan, ASKED, "lite0-ocr-hier", Path("x.yaml"), Path("out")))
    assert Plan.from_dict(plan.to_dict()) == plan


def test_crops_have_the_images_shape_and_no_more_than_the_machine_can_do() -> None:
    assert make_plan(32, Size(96, 128), CPU, ASKED).crop == Size(96, 128)
    plan = make_plan(32, Size(3000, 4000), CPU, ASKED)
    assert plan.crop.height * plan.crop.width <= 1.1 * CPU_AREA
    assert plan.crop.width / plan.crop.height == pytest.approx(4 / 3, rel=0.1)
    assert plan.long_edge == 1024
    larger = make_plan(32, Size(3000, 4000), GPU, ASKED)
    assert larger.crop.height > plan.crop.height
    assert larger.long_edge == 2048
    assert make_plan(32, Size(360, 480), CPU, ASKED).long_edge is None


def test_more_images_are_seen_less_often_and_for_more_steps() -> None:
    few, many = (make_plan(n, Size(360, 480), CPU, ASKED) for n in (32, 2000))
    assert few.epochs > many.epochs
    assert few.steps < many.steps
    assert make_plan(32, Size(360, 480), CPU._replace(cores=8), ASKED).steps > few.steps


def test_what_the_user_chose_is_kept() -> None:
    asked = Choices("streetlite", epochs=7, lr=3e-4, batch=3, device="cpu", seed=9)
    plan = make_plan(32, Size(360, 480), CPU, asked)
    assert (plan.epochs, plan.lr, plan.batch) == (7, 3e-4, 3)
    experiment = make_experiment(plan, asked, "lite0-ocr-hier", Path("x.yaml"), Path("out"))
    assert experiment.optim.epochs == 7
    assert experiment.data.batch == 3
    assert experiment.runtime.seed == 9
    assert experiment.model.weights == "streetlite"


def test_weights_of_the_same_classes_are_trained_more_gently() -> None:
    new, same = (make_plan(32, Size(360, 480), CPU, ASKED, has) for has in (False, True))
    assert same.lr < new.lr


def test_without_bfloat16_training_is_in_float32() -> None:
    plan = make_plan(32, Size(360, 480), CPU._replace(has_bf16=False), ASKED)
    assert plan.precision == "fp32"


@pytest.mark.parametrize(
    ("change", "flag"),
    [({"epochs": 0}, "--epochs"), ({"batch": 0}, "--batch"), ({"lr": 0.0}, "--lr"),
     ({"lr": float("nan")}, "--lr"), ({"seed": -1}, "--seed")],
)  # fmt: skip
def test_numbers_that_cannot_be(change: dict[str, float], flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        dataclasses.replace(ASKED, **change)  # type: ignore[arg-type]


def test_the_machine_is_this_one() -> None:
    machine = find_machine("cpu")
    assert machine.device == "cpu"
    assert machine.cores >= 1
    with pytest.raises(UsageError, match="--device"):
        find_machine("tpu")
