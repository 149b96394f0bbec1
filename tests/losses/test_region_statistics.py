from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from hierseg.losses import region_statistics
from hierseg.losses.region_statistics import (
    EnlargedCrossEntropySum,
    JointScatter,
    SigmoidCrossEntropySum,
    SigmoidStatistics,
)


@pytest.fixture
def counted() -> torch.Tensor:
    return torch.rand(2, 7, 11, generator=torch.Generator().manual_seed(0)) < 0.7


def doubles(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def test_cross_entropy_sum_has_its_gradient(counted: torch.Tensor) -> None:
    own = torch.randint(0, 3, (2, 1, 7, 11))
    assert gradcheck(lambda x: SigmoidCrossEntropySum.apply(x, own, counted), doubles(2, 3, 7, 11))


def test_statistics_have_their_gradients(counted: torch.Tensor) -> None:
    own = torch.randint(0, 3, (2, 1, 7, 11))
    x = doubles(2, 3, 7, 11)
    assert gradcheck(lambda x: SigmoidStatistics.apply(x, own, counted), x)
    assert gradcheck(lambda x: SigmoidStatistics.apply(x, own, counted)[1], x)


@pytest.mark.parametrize("height", [7, 8, 9, 10, 11])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_statistics_are_the_same_by_strips_of_any_size(
    height: int, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = doubles(2, 3, height, 13).detach().to(memory_format=layout)
    own = torch.randint(0, 3, (2, 1, height, 13))
    counted = torch.rand(2, height, 13) < 0.7
    pooled = functional.avg_pool2d(x.sigmoid() * counted[:, None], 4, 4, 2)
    one_hot = torch.zeros_like(x).scatter_(1, own, 1)
    bce = functional.binary_cross_entropy_with_logits(x, one_hot, reduction="none")
    expected = (bce * counted[:, None]).sum()
    weights = torch.randn_like(pooled)
    gradients = []
    for strip in (1, 2**17):
        monkeypatch.setattr(region_statistics, "STRIP", strip)
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        total, found = SigmoidStatistics.apply(leaf, own, counted)
        assert torch.allclose(total, expected, rtol=1e-12)
        assert torch.allclose(found, pooled, rtol=1e-12)
        assert torch.allclose(SigmoidCrossEntropySum.apply(leaf, own, counted), expected)
        (total + (weights * found).sum()).backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    assert torch.allclose(*gradients, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_logits_are_resized_strip_by_strip_as_they_are_at_once(
    factor: int, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_statistics, "STRIP", 1)
    small = doubles(2, 3, 7, 5).detach().to(memory_format=layout)
    height, width = 7 * factor, 5 * factor
    own = torch.randint(0, 3, (2, 1, height, width))
    counted = torch.rand(2, height, width) < 0.7
    losses, gradients = [], []
    for at_once in (True, False):
        leaf = small.clone(memory_format=torch.preserve_format).requires_grad_()
        if at_once:
            resized = functional.interpolate(leaf, size=(height, width), mode="bilinear")
            loss = SigmoidCrossEntropySum.apply(resized, own, counted)
        else:
            loss = EnlargedCrossEntropySum.apply(leaf, own, counted)
        loss.backward()
        losses.append(loss.item())
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert torch.allclose(*gradients, rtol=1e-10, atol=1e-12)


def test_a_loss_of_almost_nothing_is_not_lost_among_large_logits() -> None:
    x = torch.full((1, 3, 4, 4), -30.0)
    x[:, 0] = 30.0
    own, counted = torch.zeros(1, 1, 4, 4, dtype=torch.int64), torch.ones(1, 4, 4, dtype=torch.bool)
    expected = 3 * 16 * torch.tensor(-30.0, dtype=torch.float64).exp().log1p()
    assert torch.allclose(SigmoidCrossEntropySum.apply(x, own, counted), expected, rtol=1e-6)


def test_what_does_not_count_may_be_no_number() -> None:
    x = torch.zeros(1, 2, 4, 4)
    x[..., 0] = torch.nan
    own, counted = torch.zeros(1, 1, 4, 4, dtype=torch.int64), torch.ones(1, 4, 4, dtype=torch.bool)
    counted[..., 0] = False
    total = SigmoidCrossEntropySum.apply(x, own, counted)
    assert torch.allclose(total, 2 * 12 * torch.tensor(2.0, dtype=torch.float64).log())


def test_joint_scatter_is_that_of_every_neighbourhood_and_has_its_gradient() -> None:
    predicted, truth = doubles(3, 5, 6), doubles(6, 5, 3).detach().permute(2, 1, 0)
    scatter = JointScatter.apply(predicted, truth)
    for index in range(3):
        rows = [
            torch.cat([m[index, y : y + 3, x : x + 3].flatten() for m in (predicted, truth)])
            for y in range(3)
            for x in range(4)
        ]
        centred = torch.stack(rows) - torch.stack(rows).mean(0)
        assert torch.allclose(scatter[index], centred.T @ centred)
    assert gradcheck(lambda x: JointScatter.apply(x, truth), predicted)
