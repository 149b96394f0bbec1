from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.set_likelihood import Mixed, SetCrossEntropySum

from .drawing import draw


def _run(criterion: torch.nn.Module, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    loss = criterion(leaf, labels)
    loss.backward()
    assert leaf.grad is not None
    return loss.detach(), leaf.grad


@pytest.mark.parametrize("criterion", [BoundaryRelaxedLoss(), ImageWeightedCrossEntropy()])
def test_bands_change_nothing(criterion: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = draw((2, 5, 23, 17))
    whole = _run(criterion, logits, labels)
    for budget in (1, 5 * 2 * 17 * 4):  # row by row; four at a time and three at the end
        monkeypatch.setattr("hierseg.losses.set_likelihood.BAND", {"cpu": budget})
        for banded, expected in zip(_run(criterion, logits, labels), whole, strict=True):
            assert torch.allclose(banded, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("criterion", [BoundaryRelaxedLoss(), ImageWeightedCrossEntropy()])
def test_any_memory_layout_will_do(criterion: torch.nn.Module) -> None:
    logits, labels = draw((2, 5, 23, 17))
    expected = _run(criterion, logits, labels)
    for other in (
        logits.contiguous(memory_format=torch.channels_last),
        logits.mT.contiguous().mT,
    ):
        for order in (labels, labels.mT.contiguous().mT):
            for result, value in zip(_run(criterion, other, order), expected, strict=True):
                assert torch.allclose(result, value, rtol=1e-9, atol=0)


def test_the_gradient_has_the_layout_of_channels_last_logits() -> None:
    logits, labels = draw((2, 5, 23, 17))
    last = logits.contiguous(memory_format=torch.channels_last)
    gradients: list[Tensor] = []
    for layout in (logits, last):
        leaf = layout.requires_grad_()
        resized = leaf * 1
        resized.register_hook(gradients.append)
        ImageWeightedCrossEntropy()(resized, labels).backward()
    assert [g.is_contiguous(memory_format=torch.channels_last) for g in gradients] == [False, True]


def test_logits_beyond_exponentials_have_their_loss() -> None:
    logits = torch.tensor([500.0, -500.0, 499.0, -1e4])[None, :, None, None].requires_grad_()
    place = torch.zeros(1, dtype=torch.int64)
    for members, expected in (([1, 3], 1000.31326), ([2, 1], 1.31326), ([0, 2], 0.0)):
        logits.grad = None
        mixed = Mixed(
            place,
            place,
            torch.tensor(members, dtype=torch.int16)[:, None],
        )
        own, weight = place[:, None, None], torch.zeros(1, 1, 1)
        loss = SetCrossEntropySum.apply(logits, own, weight, mixed, torch.ones(1, 4))
        loss.backward()
        assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert logits.grad is not None
        assert bool(logits.grad.isfinite().all())
        assert logits.grad.sum().item() == pytest.approx(0, abs=1e-6)


class _LargestTensor(TorchDispatchMode):
    """Notes the bytes of the largest tensor that any operation makes; views make none."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        self.given = given.untyped_storage().data_ptr()
        self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() != self.given:
                self.largest = max(self.largest, tensor.nbytes)
        return result


@pytest.mark.parametrize("criterion", [BoundaryRelaxedLoss(), ImageWeightedCrossEntropy()])
def test_nothing_as_large_as_the_logits_is_made_but_their_gradient(
    criterion: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hierseg.losses.set_likelihood.BAND", {"cpu": 2**12})
    logits, labels = draw((1, 40, 96, 96), block=16)
    logits = logits.bfloat16().requires_grad_()
    with _LargestTensor(logits) as forward:
        loss = criterion(logits, labels)
    # The largest is a map of one int64 a pixel; the logits are ten times that.
    assert forward.largest <= 8 * labels.numel()
    with _LargestTensor(logits) as backward:
        loss.backward()
    assert backward.largest == logits.nbytes
