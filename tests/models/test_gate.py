"""What is known before the next scale is run, and the gate that reads it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hierseg.models.gate import BenefitGate, gather_evidence, join_clues
from hierseg.models.hierarchical import HierarchicalFusion
from hierseg.models.outputs import ScaleOutput
from hierseg.models.registry import build_network, create_model
from hierseg.size import Size


def make_output(side: int, seed: int, features: bool = False) -> ScaleOutput:
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, side, side, generator=random)
    attention = torch.rand(2, 1, side, side, generator=random)
    found = torch.rand(2, 5, side, side, generator=random) if features else None
    return ScaleOutput(logits, None, attention, found, None)


def entropy_of(logits: Tensor) -> Tensor:
    shares = logits.softmax(dim=1)
    return -(shares * shares.log()).sum(dim=1, keepdim=True) / math.log(logits.shape[1])


def test_evidence_is_that_of_the_fusion_so_far() -> None:
    small, large = make_output(8, 0), make_output(16, 1)
    evidence = gather_evidence([small, large])
    run = HierarchicalFusion().begin(Size(16, 16), (0.5, 1.0))
    run.add(1.0, large._replace(attention=None))
    run.add(0.5, small)
    assert torch.allclose(evidence.entropy, entropy_of(run.finish().logits), atol=1e-5)
    up = HierarchicalFusion("up").begin(Size(16, 16), (0.5, 1.0, 2.0))
    up.add(0.5, small)
    up.add(1.0, large)
    assert torch.allclose(evidence.weight, up.remaining_weight(), atol=1e-6)  # type: ignore[attr-defined]
    assert evidence.features is None


def test_disagreement_is_the_distance_of_the_last_two() -> None:
    sure = torch.tensor([20.0, 0, 0, 0]).view(1, 4, 1, 1).expand(1, 4, 6, 6)
    other = sure.roll(1, dims=1)
    half = torch.full((1, 1, 6, 6), 0.5)
    outputs = [ScaleOutput(one, None, half, None, None) for one in (sure, other, other, sure)]
    assert gather_evidence(outputs[:1]).disagreement is None
    for chosen, expected in ((outputs[:2], 1.0), (outputs[1:3], 0.0), (outputs, 1.0)):
        found = gather_evidence(chosen).disagreement
        assert found is not None
        assert torch.allclose(found, torch.full_like(found, expected), atol=1e-4)


def test_entropy_is_0_for_the_sure_and_1_for_the_unsure() -> None:
    half = torch.full((1, 1, 4, 4), 0.5)
    for logits, expected in (
        (torch.zeros(1, 4, 4, 4), 1.0),
        (torch.tensor([99.0, 0, 0, 0]).view(1, 4, 1, 1).expand(1, 4, 4, 4), 0.0),
    ):
        found = gather_evidence([ScaleOutput(logits, None, half, None, None)])
        assert torch.allclose(found.entropy, torch.full_like(half, expected), atol=1e-5)
        assert torch.equal(found.weight, half)


def test_the_gate_reads_clues_and_features() -> None:
    evidence = gather_evidence([make_output(8, 0), make_output(16, 1, features=True)])
    clues = join_clues(evidence)
    assert clues.shape == (2, 8, 16, 16)
    gate = BenefitGate(5, 3)
    found = gate(clues)
    assert found.shape == (2, 1, 16, 16)
    for channel in range(8):
        changed = clues.clone()
        changed[:, channel] += 1
        assert not torch.equal(gate(changed), found)


def test_every_builder_can_have_one_and_none_has_it_by_itself() -> None:
    network = create_model("lite0-ocr-hier", num_classes=5)
    assert network.gate is None
    assert not [name for name in network.state_dict() if name.startswith("gate.")]
    assert network.builder is not None
    gated = build_network(network.builder, {**network.builder_arguments, "gate_channels": 7})
    assert gated.gate is not None
    assert gated.gate.mix.weight.shape == (7, network.head.out_channels + 3, 1, 1)
    added = gated.state_dict().keys() - network.state_dict().keys()
    assert added
    assert all(name.startswith("gate.") for name in added)


@pytest.mark.parametrize("channels", [0, -1, 2.0, "8", True, 10**9])
def test_channels_that_are_none_are_refused(channels: object) -> None:
    with pytest.raises(Exception, match="gate_channels cannot be"):
        build_network("timm_ocr", {"num_classes": 5, "gate_channels": channels})
