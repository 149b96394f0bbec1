"""Convolution, norm and activation."""

from __future__ import annotations

import pytest
import torch

from hierseg.layers.convolution import ConvNormAct


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 12)), (2, (4, 6))])
@pytest.mark.parametrize("kernel", [1, 3])
def test_output_size(kernel: int, stride: int, size: tuple[int, int]) -> None:
    assert ConvNormAct(3, 5, kernel, stride)(torch.rand(2, 3, 7, 12)).shape == (2, 5, *size)


def test_norms_what_the_convolution_gives_and_rectifies_it() -> None:
    block = ConvNormAct(2, 3, 3, bias=True).eval()
    block.norm.running_mean.uniform_(-1, 1)
    block.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 2, 6, 6)
    mean, var = (v.view(1, 3, 1, 1) for v in (block.norm.running_mean, block.norm.running_var))
    normed = (block.conv(x) - mean) / (var + 1e-5).sqrt()
    torch.testing.assert_close(block(x), normed.clamp(min=0))
    assert (normed < 0).any()
    linear = ConvNormAct(2, 3, 3, bias=True, act=False).eval()
    linear.load_state_dict(block.state_dict())
    torch.testing.assert_close(linear(x), normed)


def test_momentum_of_the_statistics() -> None:
    block = ConvNormAct(1, 1).train()
    x = torch.randn(4, 1, 5, 5)
    block(x)
    expected = 0.1 * block.conv(x).mean()
    torch.testing.assert_close(block.norm.running_mean[0], expected)


def test_bias_only_where_asked_for() -> None:
    assert ConvNormAct(1, 1).conv.bias is None
    assert ConvNormAct(1, 1, bias=True).conv.bias is not None
