from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from hierseg.assembly import build_teacher, check_experiment
from hierseg.checkpoint import save_checkpoint
from hierseg.config import DataConfig, DistillConfig, Experiment, RuntimeConfig
from hierseg.errors import UsageError, UserError
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.models import create_model

SPACE = LabelSpace("flags", ("red", "green"), ((255, 0, 0), (0, 255, 0)), (0, 1))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_checkpoint(path, create_model("lite0-ocr-hier", 2), SPACE)
    return str(path)


def test_a_teacher_is_run_in_evaluation_mode_at_its_scales_and_learns_nothing(
    weights: str,
) -> None:
    before = torch.random.get_rng_state()
    teacher = build_teacher(DistillConfig(weights, temperature=3.0, weight=0.5), SPACE, CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert teacher is not None
    network: Any = teacher.engine.network  # type: ignore[attr-defined]
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    norms = {name: value.clone() for name, value in network.named_buffers()}
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        wanted = network(images, scales=network.scales).logits
        one_scale = network(images, scales=(1.0,)).logits
    found = teacher.add({"loss": torch.tensor(1.0)}, wanted, images)
    assert float(found["distill"]) == pytest.approx(0, abs=1e-6)
    assert float(found["loss"]) == pytest.approx(1.0)
    other = teacher.add({"loss": torch.tensor(1.0)}, one_scale, images)
    assert float(other["loss"]) == pytest.approx(1 + 0.5 * float(other["distill"]))
    assert float(other["distill"]) > 0
    single = build_teacher(DistillConfig(weights, scales=(1.0,)), SPACE, CPU)
    assert single is not None
    found = single.add({"loss": torch.tensor(0.0)}, one_scale, images)
    assert float(found["loss"]) == pytest.approx(0, abs=1e-6)
    assert all(torch.equal(value, norms[name]) for name, value in network.named_buffers())


def test_without_a_name_there_is_no_teacher() -> None:
    assert build_teacher(DistillConfig(), SPACE, CPU) is None


def test_a_teacher_of_other_classes_is_refused(weights: str) -> None:
    with pytest.raises(UserError, match=r"knows the classes of 'flags'.*'cityscapes'"):
        build_teacher(DistillConfig(weights), CITYSCAPES, CPU)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (DistillConfig("x", temperature=0.0), "--distill.temperature 0 is out of range"),
        (DistillConfig("x", weight=-1.0), "--distill.weight -1 is out of range"),
        (DistillConfig("x", weight_bound=-0.5), "--distill.weight-bound -0.5 is out of range"),
        (DistillConfig(temperature=2.0), "are of a teacher; name it with --distill"),
        (DistillConfig("x", scales=(0.5,)), r"must include 1; give for example --distill.scales"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: DistillConfig, match: str) -> None:
    plain = Experiment(
        data=DataConfig(root=Path("data")), runtime=RuntimeConfig(out=Path("run"), device="cpu")
    )
    with pytest.raises(UsageError, match=match):
        check_experiment(dataclasses.replace(plain, distill=given))
