"""Resizing to explicit sizes."""

from __future__ import annotations

import torch

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


def test_scaled_size_rounds_down() -> None:
    assert scaled_size((67, 131), 0.5) == (33, 65)
    assert scaled_size((72, 104), 0.35) == (25, 36)
    assert scaled_size((72, 104), 1.3) == (93, 135)
