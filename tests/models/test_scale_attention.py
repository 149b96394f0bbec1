"""Scale attention."""

from __future__ import annotations

import torch
from torch import nn

from hierseg.models.hierarchical import ScaleAttention


def test_layers() -> None:
    kernels = [m.kernel_size[0] for m in ScaleAttention(6, 4).modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [3, 3, 1]
    short = ScaleAttention(6, 4, second=False)
    assert [m.kernel_size[0] for m in short.modules() if isinstance(m, nn.Conv2d)] == [3, 1]
    assert all(m.bias is None for m in short.modules() if isinstance(m, nn.Conv2d))


@torch.no_grad()
def test_weight_of_a_pixel_is_a_sigmoid() -> None:
    attention = ScaleAttention(6, 4).eval()
    features = torch.randn(2, 6, 5, 7)
    hidden = attention.conv2(attention.conv1(features))
    expected = 1 / (1 + torch.exp(-attention.weigh(hidden)))
    torch.testing.assert_close(attention(features), expected)
    assert expected.shape == (2, 1, 5, 7)


def test_dropout_is_before_the_last_convolution_in_training() -> None:
    attention = ScaleAttention(6, 4, dropout=0.5)
    features = torch.randn(2, 6, 5, 7)
    assert not torch.equal(attention(features), attention(features))
    attention.eval()
    assert torch.equal(attention(features), attention(features))
