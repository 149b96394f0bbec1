from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from hierseg.losses.region_statistics import JointScatter, PooledSigmoid, SigmoidCrossEntropySum


@pytest.fixture
def counted() -> torch.Tensor:
    return torch.rand(2, 7, 11, generator=torch.Generator().manual_seed(0)) < 0.7


def doubles(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def test_cross_entropy_sum_has_its_gradient(counted: torch.Tensor) -> None:
    own = torch.randint(0, 3, (2, 1, 7, 11))
    assert gradcheck(lambda x: SigmoidCrossEntropySum.apply(x, own, counted), doubles(2, 3, 7, 11))


def test_pooled_sigmoid_has_its_gradient(counted: torch.Tensor) -> None:
    assert gradcheck(lambda x: PooledSigmoid.apply(x, counted), doubles(2, 3, 7, 11))


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
