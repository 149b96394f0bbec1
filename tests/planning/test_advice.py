from __future__ import annotations

from dataclasses import replace

import pytest

from hierseg.config import DataConfig, EvalConfig, Experiment, RuntimeConfig
from hierseg.errors import UsageError
from hierseg.planning.advice import advise_evaluation, advise_training
from hierseg.planning.estimate import Estimate
from hierseg.planning.overheads import add_overheads, parse_memory
from hierseg.size import Size

BASE = Experiment(
    data=DataConfig(crop=Size(512, 1024), batch=4), eval=EvalConfig(scales=(0.5, 1.0, 2.0))
)


def _estimate(experiment: Experiment) -> Estimate:
    """A byte a pixel of the batch, less for each thing that saves some, and 1000 in any case."""
    data = experiment.data
    pixels = data.batch * data.crop.height * data.crop.width
    factor = 0.6 if experiment.runtime.precision == "bf16" else 1.0
    factor *= 0.5 if experiment.model.grad_checkpoint else 1.0
    return Estimate(1, 1, {"fixed": 1000, "activations": int(pixels * factor)})


def test_the_cheapest_change_is_tried_first() -> None:
    whole = _estimate(BASE)
    found = list(advise_training(BASE, int(0.7 * whole.total), whole, _estimate))
    assert [advice.flags for advice in found] == [
        "--runtime.precision bf16",
        "--model.grad-checkpoint",
    ]
    found = list(advise_training(BASE, int(0.2 * whole.total), whole, _estimate))
    assert [advice.flags for advice in found] == [
        "--runtime.precision bf16",
        "--model.grad-checkpoint",
        "--runtime.precision bf16 --model.grad-checkpoint",
        "--data.batch 2 --optim.accumulate 2",
        "--data.batch 1 --optim.accumulate 4",
        "--data.crop 224x448",
    ]
    assert found[-1].estimate.total <= 0.2 * whole.total


def test_what_is_set_already_is_not_advised() -> None:
    base = replace(BASE, runtime=RuntimeConfig(precision="bf16"), data=replace(BASE.data, batch=1))
    whole = _estimate(base)
    flags = [a.flags for a in advise_training(base, int(0.3 * whole.total), whole, _estimate)]
    assert flags == ["--model.grad-checkpoint", "--data.crop 256x544"]


def test_no_crop_is_advised_that_is_too_small() -> None:
    whole = _estimate(BASE)
    flags = [a.flags for a in advise_training(BASE, 2000, whole, _estimate)]
    assert not any("--data.crop" in flag for flag in flags)
    assert not any("--data.crop" in a.flags for a in advise_training(BASE, 500, whole, _estimate))


def test_what_cannot_be_trained_is_no_advice() -> None:
    def estimate(experiment: Experiment) -> Estimate:
        if experiment.data.batch < 4 or experiment.data.crop.height < 256:
            raise UsageError("too little for batch norm")
        return _estimate(experiment)

    whole = _estimate(BASE)
    for share, crops in ((0.4, ["--data.crop 320x640"]), (0.1, [])):
        found = list(advise_training(BASE, int(share * whole.total), whole, estimate))
        flags = [advice.flags for advice in found if "precision" not in advice.flags]
        assert flags == ["--model.grad-checkpoint", *crops]


def test_large_scales_are_left_out_first() -> None:
    def estimate(experiment: Experiment) -> Estimate:
        scales = experiment.eval.scales or ()
        return Estimate(1, 1, {"activations": int(1000 * max(scales) ** 2)})

    wide = replace(BASE, eval=EvalConfig(scales=(0.5, 2.0, 1.0, 1.5)))
    found = list(advise_evaluation(wide, 2500, estimate))
    assert [advice.flags for advice in found] == ["--eval.scales 0.5 1 1.5"]
    found = list(advise_evaluation(wide, 10, estimate))
    assert [advice.flags for advice in found] == ["--eval.scales 0.5 1 1.5", "--eval.scales 0.5 1"]


@pytest.mark.parametrize(
    ("text", "size"), [("24G", 24 * 2**30), ("24 GiB", 24 * 2**30), ("1.5gb", 3 * 2**29), ("7", 7)]
)
def test_sizes_of_memory_are_read(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "0G", "-3G", "24X"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--gpu-memory 24G"):
        parse_memory(text)


def test_a_gpu_has_a_context_and_a_cpu_its_program() -> None:
    tensors = Estimate(1, 1, {"activations": 10**9})
    gpu, cpu = add_overheads(tensors, None), add_overheads(tensors, 7 * 10**8)
    assert gpu.parts["program"] == 512 * 2**20
    assert cpu.parts["program"] == 7 * 10**8
    assert cpu.parts["allocator"] - gpu.parts["allocator"] == 64 * 2**20
    assert tensors.total == 10**9
