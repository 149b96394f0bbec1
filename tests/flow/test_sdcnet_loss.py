from __future__ import annotations

import pytest
import torch

from hierseg.flow import measure_reconstruction


def test_the_parts_are_weighted_means() -> None:
    source = torch.zeros(1, 3, 2, 3)
    target = torch.zeros(1, 3, 2, 3)
    target[..., 1] = 51  # a line of 0.2 in the middle: a step up and one down in x, none in y
    flow = torch.zeros(1, 2, 2, 3)
    flow[:, 0, 1] = 4  # a step of 4 in y, in one of two components
    parts = measure_reconstruction(source, target, flow)
    assert float(parts["color"]) == pytest.approx(0.7 * 0.2 / 3)
    assert float(parts["edges"]) == pytest.approx(0.2 * 0.2)
    assert float(parts["smoothness"]) == pytest.approx(0.1 * 4 / 2)


def test_edges_are_compared_by_size_not_by_sign() -> None:
    source = torch.tensor([0.0, 100.0, 0.0]).expand(1, 3, 2, 3)
    target = torch.tensor([100.0, 0.0, 100.0]).expand(1, 3, 2, 3)
    still = torch.zeros(1, 2, 2, 3)
    assert float(measure_reconstruction(source, target, still)["edges"]) == 0


def test_descent_finds_the_motion() -> None:
    x = torch.arange(32.0)
    source = (100 + 100 * torch.sin(x / 4)).expand(1, 3, 4, 32)
    target = (100 + 100 * torch.sin((x + 2) / 4)).expand(1, 3, 4, 32)
    flow = torch.zeros(1, 2, 4, 32)
    for _ in range(60):
        flow.requires_grad_()
        loss = torch.stack(list(measure_reconstruction(source, target, flow).values())).sum()
        flow = (flow - 0.05 * torch.autograd.grad(loss, flow)[0].sign()).detach()
    assert float(flow[0, 0, :, 4:-4].median()) == pytest.approx(2, abs=0.3)
