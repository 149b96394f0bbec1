"""Estimates against the same steps with numbers."""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from hierseg import assembly as build
from hierseg.config import (
    DataConfig,
    EvalConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RuntimeConfig,
)
from hierseg.engines.live import LiveBytes
from hierseg.engines.torch_engine import TorchEngine
from hierseg.labels import CAMVID, CITYSCAPES, LabelSpace
from hierseg.layers.convolution import ConvNormAct
from hierseg.models import catalog
from hierseg.models.hierarchical import HierarchicalFusion, ScaleAttention
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.options import RunOptions
from hierseg.planning.estimate import Estimate, estimate_evaluation, estimate_training
from hierseg.planning.planner import Planner
from hierseg.recipes import get_recipe
from hierseg.size import Size
from support.published_files import NARROW

CROP = Size(96, 128)


class _Trunk(nn.Module):
    channels, strides = (16, 32), (4, 8)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNormAct(3, 16, 3, 2), nn.MaxPool2d(2))
        self.blocks = nn.Sequential(*(_Block() for _ in range(4)))
        self.deep = ConvNormAct(16, 32, 3, 2)

    def forward(self, image: Tensor) -> list[Tensor]:
        fine = self.blocks(self.stem(image))
        return [fine, self.deep(fine)]


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = ConvNormAct(16, 64, 3), ConvNormAct(64, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.second(self.first(x))
        return result


def build_tiny(experiment: Experiment, space: LabelSpace, *_: object) -> SegmentationNetwork:
    """Stands for the registry's networks, whose building alone takes seconds."""
    return SegmentationNetwork(
        _Trunk(),
        OCRHead(_Trunk.channels, space.num_classes, 16, 8),
        ScaleAttention(16, 8),
        HierarchicalFusion(),
        num_classes=space.num_classes,
        train_scales=(0.5, 1.0),
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "assemble_network", build_tiny)


def describe(name: str = "lite0-ocr-hier", **optim: object) -> Experiment:
    return Experiment(
        model=ModelConfig(name=name, pretrained=False),
        data=DataConfig(name="camvid", crop=CROP, batch=2, workers=2),
        loss=LossConfig(per_scale_weight=0.05),
        optim=OptimConfig(**optim),  # type: ignore[arg-type]
        eval=EvalConfig(scales=(0.5, 1.0)),
        runtime=RuntimeConfig(device="cpu"),
    )


def _train_with_numbers(experiment: Experiment) -> int:
    """Bytes that a step really takes beyond the weights."""
    network = build.assemble_network(experiment, CAMVID).train()
    criterion = build.build_criterion(experiment, CAMVID)
    with LiveBytes() as live:
        image = torch.zeros(2, 3, *CROP, dtype=torch.uint8)
        labels = torch.zeros(2, *CROP, dtype=torch.int64)
        criterion(network(image), labels)["loss"].backward()
    return live.peak


def _without_weights(estimate: Estimate, *others: str) -> int:
    return estimate.total - sum(estimate.parts[part] for part in ("weights", *others))


@pytest.mark.usefixtures("tiny")
def test_a_step_takes_what_is_estimated() -> None:
    experiment = describe()
    estimate = estimate_training(experiment, CAMVID)
    said = _without_weights(estimate, "state of the optimiser")
    assert said == pytest.approx(_train_with_numbers(experiment), rel=0.08)
    assert estimate.parts["batch"] == 2 * 96 * 128 * (3 + 8)
    assert estimate.loader == 5 * estimate.parts["batch"]


@pytest.mark.usefixtures("tiny")
def test_an_evaluation_takes_what_is_estimated() -> None:
    experiment = describe()
    estimate = estimate_evaluation(experiment, CAMVID, CROP)
    network = build.assemble_network(experiment, CAMVID).eval()
    with LiveBytes() as live:
        image = torch.zeros(1, 3, *CROP, dtype=torch.uint8)
        TorchEngine(network).run(image, RunOptions(scales=(0.5, 1.0))).logits[0].argmax(0)
    assert _without_weights(estimate) == pytest.approx(live.peak, rel=0.03)
    single = replace(experiment, eval=EvalConfig(scales=(1.0,)))
    alone = estimate_evaluation(single, CAMVID, CROP)
    # Half the side is a quarter of the work; alone, scale 1 has no attention to compute.
    assert 1.25 <= estimate.flops / alone.flops < 1.45


@pytest.mark.usefixtures("tiny")
def test_parts_follow_the_settings() -> None:
    plain = estimate_training(describe(), CAMVID)
    weights = plain.parts["weights"]
    assert plain.parts["state of the optimiser"] == pytest.approx(weights, rel=0.02)
    adam = estimate_training(describe(optimizer="adamw", ema_decay=0.9), CAMVID, processes=2)
    assert adam.parts["state of the optimiser"] == 2 * plain.parts["state of the optimiser"]
    assert adam.parts["average of weights"] == weights
    assert adam.parts["messages between processes"] == plain.parts["state of the optimiser"]
    assert adam.parts["activations"] == plain.parts["activations"]
    base = describe()
    wide = replace(base, data=replace(base.data, crop=Size(192, 256)))
    larger = estimate_training(wide, CAMVID)
    assert larger.parts["activations"] / plain.parts["activations"] == pytest.approx(4, rel=0.03)
    assert larger.flops / plain.flops == pytest.approx(4, rel=0.03)


@pytest.mark.usefixtures("tiny")
def test_recomputing_and_bf16_take_less() -> None:
    base = describe()
    plain = estimate_training(base, CAMVID).parts["activations"]
    again = replace(base, model=replace(base.model, grad_checkpoint=True))
    assert estimate_training(again, CAMVID).parts["activations"] < 0.8 * plain
    half = replace(base, runtime=replace(base.runtime, precision="bf16"))
    assert estimate_training(half, CAMVID).parts["activations"] < 0.75 * plain


def _narrow_deeplab(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """A published recipe, of one image a process, with fewer channels."""
    recipe = get_recipe("cityscapes-deeplabv3plus-wrn38")
    row = catalog.MODELS[recipe.model.name]
    narrow = row._replace(arguments={**row.arguments, **NARROW["deeplab"]})
    monkeypatch.setitem(catalog.MODELS, recipe.model.name, narrow)  # type: ignore[arg-type]
    runtime = replace(recipe.runtime, device="cpu")
    return replace(recipe, data=replace(recipe.data, crop=CROP), runtime=runtime)


@pytest.mark.slow
def test_one_image_is_advised_only_where_it_can_be_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = _narrow_deeplab(monkeypatch)
    two = replace(one, data=replace(one.data, batch=2))
    for experiment, processes, is_advised in ((two, 1, False), (two, 2, True), (one, 1, None)):
        planner = Planner(CITYSCAPES, CROP, processes, limit=1)
        tried = planner.plan(experiment).for_training
        assert tried
        flags = [advice.flags for advice in tried]
        assert any("--model.grad-checkpoint" in flag for flag in flags)
        if is_advised is not None:
            assert any("--data.batch 1" in flag for flag in flags) == is_advised


def test_a_recipe_of_one_image_a_process_can_be_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its norms see the other processes' images; alone ASPP's would see one value."""
    small = _narrow_deeplab(monkeypatch)
    two = replace(small, data=replace(small.data, batch=2))
    one = estimate_training(small, CITYSCAPES).parts["activations"]
    assert one == pytest.approx(
        estimate_training(two, CITYSCAPES).parts["activations"] / 2, rel=0.1
    )


def test_live_bytes_come_and_go() -> None:
    with LiveBytes() as live:
        first = torch.zeros(1000)
        view = first[:10]
        second = first + 1
        del first
        assert live.live == 8000  # a view keeps the whole alive
        del view, second
        gc.collect()
        assert (live.live, live.peak) == (0, 8000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["cityscapes-hrnet48-ocr-hier", "mapillary-hrnet48-ocr-hier", "vplr-cityscapes-wrn38"]
)
def test_validation_never_needs_more_than_training(name: str) -> None:
    recipe = get_recipe(name)
    recipe = replace(recipe, runtime=replace(recipe.runtime, device="cpu"))
    training = estimate_training(recipe, CITYSCAPES)
    size = Size(1633, 2177) if "mapillary" in name else Size(1024, 2048)
    assert estimate_evaluation(recipe, CITYSCAPES, size).total < training.total


@pytest.mark.slow
def test_estimates_are_within_a_fifth_of_the_peak() -> None:
    command = [sys.executable, "-m", "benchmarks.planning", "--only", "hrnet18s-ocr-hier"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| hrnet18s-ocr-hier |") == 2
