from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hierseg.layers.synchronised import synchronise_norms
from hierseg.models.hrnet import SMALL_V2, HRNet
from hierseg.models.resnet import DilatedResNet
from hierseg.models.trunk import TimmTrunk
from hierseg.models.wide_resnet import WideResNet38
from hierseg.models.xception import Xception71
from hierseg.training.gradient_checkpointing import recompute_trunk

TRUNKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "hrnet": (lambda: HRNet(4, SMALL_V2), 8),
    "wrn38": (lambda: WideResNet38(4, shallow=True), 6),
    "resnet50": (lambda: DilatedResNet("resnet50", 8, shallow=True), 4),
    "xception71": (lambda: Xception71(8, shallow=True), 7),
    "lite0": (lambda: TimmTrunk("tf_efficientnet_lite0"), 16),
}


def _run(trunk: nn.Module, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    torch.manual_seed(1)  # of dropout
    features = trunk(image)
    sum(feature.square().mean() for feature in features).backward()
    return features, [p.grad for p in trunk.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[pytest.mark.slow] if one == "hrnet" else []) for one in TRUNKS],
)
def test_gradients_and_statistics_are_the_same(name: str) -> None:
    make, blocks = TRUNKS[name]
    torch.manual_seed(0)
    plain = make().train()
    other = copy.deepcopy(plain)
    names = list(other.state_dict())
    assert recompute_trunk(other) >= blocks
    assert list(other.state_dict()) == names
    again = copy.deepcopy(other)  # as the average of weights is made
    image = torch.rand(2, 3, 64, 64)
    expected, gradients = _run(plain, image)
    for trunk in (other, again):
        found, own = _run(trunk, image)
        for a, b in zip(expected + gradients, found + own, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
        for key, tensor in plain.state_dict().items():
            torch.testing.assert_close(tensor, trunk.state_dict()[key], msg=key)


def test_statistics_of_torchs_synchronised_norms_are_the_same() -> None:
    """As on GPUs in several processes; alone they norm as others do, on a CPU too."""
    torch.manual_seed(0)
    plain = TimmTrunk("tf_efficientnet_lite0").train()
    other = copy.deepcopy(plain)
    synchronise_norms(other, torch.device("cuda"))
    assert any(isinstance(module, nn.SyncBatchNorm) for module in other.modules())
    recompute_trunk(other)
    image = torch.rand(2, 3, 64, 64)
    _run(plain, image)
    _run(other, image)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(buffer, other.get_buffer(name), msg=name)


def test_less_is_kept_for_the_backward_pass() -> None:
    trunk = HRNet(4, SMALL_V2).train()
    image = torch.rand(1, 3, 64, 64)

    def count() -> int:
        kept = 0

        def note(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            trunk(image)
        return kept

    before = count()
    recompute_trunk(trunk)
    assert count() < before / 2
