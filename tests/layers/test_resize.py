"""Resizing to explicit sizes."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

from hierseg.layers.convolution import resize_to, scaled_size


def test_same_size_is_the_same_tensor() -> None:
    x = torch.rand(1, 2, 4, 6)
    assert resize_to(x, (4, 6)) is x


def test_interpolates_between_pixel_centres() -> None:
    x = torch.tensor([[[[0.0, 1.0]]]])
    torch.testing.assert_close(resize_to(x, (1, 4)), torch.tensor([[[[0, 0.25, 0.75, 1]]]]))


def test_aligned_corners_keep_the_ends() -> None:
    x = torch.tensor([[[[0.0, 1.0]]]])
    expected = torch.tensor([[[[0, 1 / 3, 2 / 3, 1]]]])
    torch.testing.assert_close(resize_to(x, (1, 4), align_corners=True), expected)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("size", [(74, 102), (18, 25), (37, 66)])
def test_images_with_channels_last_keep_every_digit_and_their_layout(
    size: tuple[int, int], aligned: bool
) -> None:
    x = torch.randn(2, 37, 51, 3).permute(0, 3, 1, 2)
    found = resize_to(x, size, aligned)
    assert torch.equal(found, interpolate(x, size=size, mode="bilinear", align_corners=aligned))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_scaled_size_rounds_down() -> None:
    assert scaled_size((67, 131), 0.5) == (33, 65)
    assert scaled_size((72, 104), 0.35) == (25, 36)
    assert scaled_size((72, 104), 1.3) == (93, 135)
