from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from torch import Tensor, nn

from hierseg.assembly.teacher import Teacher
from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.combined import CombinedLoss
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.distillation import Distillation
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.region_mutual_information import RegionMutualInformation
from hierseg.options import RunOptions
from hierseg.training.ema import WeightAverage
from hierseg.training.state import TrainingState
from hierseg.training.step import Stepper

CRITERIA: dict[str, Any] = {
    "mean over pixels": CrossEntropy(),
    "sum over images": ImageWeightedCrossEntropy(),
    "relaxed": BoundaryRelaxedLoss(),
    "scaled sum": ImageWeightedCrossEntropy(images=2),
}


class _Network(nn.Module):
    """A convolution, behind a batch norm if asked for."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3) if norm else nn.Identity()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image: Tensor) -> Any:
        return SimpleNamespace(logits=self.conv(self.norm(image)), auxiliary=None, per_scale=None)


def _stepper(
    network: Any, criterion: Any = None, clip_norm: float = 0.0, teacher: Teacher | None = None
) -> Stepper:
    fabric = Fabric(accelerator="cpu", devices=1)
    bare = torch.optim.SGD(network.parameters(), lr=0.5)
    model, optimiser = fabric.setup(network, bare)
    state = TrainingState(network, bare, Precision(), WeightAverage(network, 0.9))
    loss = CombinedLoss(criterion or CrossEntropy())
    return Stepper(fabric, model, optimiser, loss, state, clip_norm, teacher)


def _batch(images: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 4, (images, 8, 8), generator=generator)
    labels[0, :6] = 255  # void, spread unevenly
    return {
        "image": torch.rand(images, 3, 8, 8, generator=generator, dtype=torch.float64),
        "labels": labels,
    }


def _cut(batch: dict[str, Tensor], *sizes: int) -> list[dict[str, Tensor]]:
    parts = [tensor.split(sizes) for tensor in batch.values()]
    return [dict(zip(batch, part, strict=True)) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize("kind", CRITERIA)
def test_a_group_is_one_larger_batch(kind: str) -> None:
    network = _Network().double()
    networks = network, copy.deepcopy(network)
    groups = [_batch()], _cut(_batch(), 2, 2)
    together = []
    for each, group in zip(networks, groups, strict=True):
        outcome = _stepper(each, CRITERIA[kind]).step(group)
        assert outcome.loss == pytest.approx(float(outcome.losses["loss"]))
        together.append(outcome)
    whole, parts = together
    # Scaled to two images a batch, a batch of four counts as much as one of two.
    assert parts.loss == pytest.approx(whole.loss, rel=1e-12)
    torch.testing.assert_close(networks[0].conv.weight, networks[1].conv.weight)


@pytest.mark.parametrize("sizes", [(2, 2), (1, 3)])
def test_a_group_under_rmi_is_one_larger_batch(sizes: tuple[int, ...]) -> None:
    # Its BCE counts by pixels, which the padding of a small image lacks, its regions by images.
    labels = torch.randint(0, 4, (4, 24, 24))
    labels[0, :, 6:] = 255
    batch = {"image": torch.rand(4, 3, 24, 24, dtype=torch.float64), "labels": labels}
    networks = [_Network().double()]
    networks.append(copy.deepcopy(networks[0]))
    groups = [[batch], _cut(batch, *sizes)]
    losses = [
        _stepper(network, RegionMutualInformation()).step(group).loss
        for network, group in zip(networks, groups, strict=True)
    ]
    # The BCE divides by the pixels and one, of each batch.
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    weights = [network.conv.weight for network in networks]
    torch.testing.assert_close(*weights, rtol=1e-3, atol=1e-4)


def test_the_gradient_is_clipped_as_one() -> None:
    network = _Network().double()
    before = copy.deepcopy(network)
    _stepper(network, clip_norm=1e-3).step([_batch()])
    moved = torch.cat(
        [(a - b).flatten() for a, b in zip(network.parameters(), before.parameters(), strict=True)]
    )
    assert float(moved.detach().norm()) == pytest.approx(0.5 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
@pytest.mark.parametrize("where", ["image", "gradient"])
def test_a_step_that_is_not_finite_changes_nothing(where: str, clip_norm: float) -> None:
    network = _Network(norm=True).double().train()
    stepper = _stepper(network, clip_norm=clip_norm)
    before = copy.deepcopy(network.state_dict())
    batch = _batch()
    if where == "image":
        batch["image"][0, 0, 0, 0] = torch.nan
    else:
        network.conv.weight.register_hook(lambda gradient: gradient * torch.inf)
    good = _batch()
    assert stepper.step([good, batch]).loss is None
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert stepper._state.average is not None
    assert stepper._state.average.updates == 0
    if where == "image":  # and the next is taken as if nothing had been
        assert stepper.step([good]).loss is not None
        assert not network.conv.weight.equal(before["conv.weight"])
        assert int(network.norm.num_batches_tracked) == 1


def test_a_step_that_the_scaler_skips_changes_nothing() -> None:
    network = _Network(norm=True).train()
    precision = MixedPrecision("16-mixed", "cpu")
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[precision])
    bare = torch.optim.SGD(network.parameters(), lr=0.5)
    model, optimiser = fabric.setup(network, bare)
    state = TrainingState(network, bare, precision, WeightAverage(network, 0.9))
    stepper = Stepper(fabric, model, optimiser, CombinedLoss(CrossEntropy()), state, clip_norm=1.0)
    assert stepper.longest_row == 30
    assert stepper.longest_row > _stepper(network).longest_row
    batch = {name: tensor.float() for name, tensor in _batch().items()}
    batch["labels"] = batch["labels"].long()
    before = copy.deepcopy(network.state_dict())
    hook = network.conv.weight.register_hook(lambda gradient: gradient * torch.nan)
    assert stepper.step([batch]).loss is None
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert state.average is not None
    assert state.average.updates == 0
    hook.remove()
    assert stepper.step([batch]).loss is not None
    assert not network.conv.weight.equal(before["conv.weight"])
    assert state.average.updates == 1


class _TeachingEngine:
    """Says what a fixed convolution says, as an engine in inference mode."""

    def __init__(self, network: _Network) -> None:
        self.network, self.seen = network, 0

    @torch.inference_mode()
    def run(self, images: Tensor, options: RunOptions) -> Any:
        self.seen += len(images)
        return self.network(images)


def test_a_teacher_is_learned_beside_the_labels_as_by_one_larger_batch() -> None:
    torch.manual_seed(1)
    network, teaching = _Network().double(), _Network().double()
    before = copy.deepcopy(teaching.state_dict())
    found = []
    for each, group in (
        (network, [_batch()]),
        (copy.deepcopy(network), _cut(_batch(), 1, 3)),
    ):
        engine = _TeachingEngine(teaching)
        stepper = _stepper(each, teacher=Teacher(engine, RunOptions(), Distillation(2.0), 0.5))  # type: ignore[arg-type]
        found.append(stepper.step(group))
        assert engine.seen == 4
    first, second = (outcome.losses for outcome in found)
    assert float(first["distill"]) > 0
    assert float(first["loss"]) == pytest.approx(float(first["main"] + 0.5 * first["distill"]))
    for name, value in first.items():
        assert float(second[name]) == pytest.approx(float(value), rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in teaching.state_dict().items())
    assert all(parameter.grad is None for parameter in teaching.parameters())


def test_with_the_teacher_alone_a_student_becomes_it() -> None:
    torch.manual_seed(1)
    student, teaching = _Network().double(), _Network().double()
    batch = _batch()
    batch["labels"] = torch.full_like(batch["labels"], 255)  # images without labels
    stepper = _stepper(
        student, teacher=Teacher(_TeachingEngine(teaching), RunOptions(), Distillation())
    )  # type: ignore[arg-type]
    losses = [float(stepper.step([batch]).losses["distill"]) for _ in range(300)]
    assert losses[-1] < losses[0] / 20
