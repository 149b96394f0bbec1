from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from hierseg.data.resampling import resize_part
from hierseg.size import Size


def whole(image: Tensor, labels: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """The whole, resized by torchvision."""
    nearest = functional.resize(labels[None], list(size), InterpolationMode.NEAREST_EXACT)[0]
    return functional.resize(image, list(size), InterpolationMode.BICUBIC, antialias=True), nearest


@settings(deadline=None, max_examples=150)
@given(st.integers(8, 70), st.integers(8, 70), st.floats(0.3, 3), st.integers(0, 2**31), st.data())
def test_a_part_is_the_part_of_the_whole(
    height: int, width: int, factor: float, seed: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    # Far enough from 0 and 255 that what is overshot is not cut off between the two passes, which
    # the two implementations make in different orders.
    image = torch.from_numpy(random.integers(80, 176, (3, height, width), np.uint8))
    labels = torch.from_numpy(random.integers(0, 256, (height, width), np.uint8))
    size = Size(max(1, int(height * factor)), max(1, int(width * factor)))
    window = []
    for side in size:
        start = data.draw(st.integers(0, side - 1))
        window.append(slice(start, data.draw(st.integers(start + 1, side))))
    part, part_labels = resize_part(image, labels, size, *window)
    expected, expected_labels = whole(image, labels, size)
    difference = part.int() - expected[:, window[0], window[1]].int()
    assert difference.abs().max() <= 2
    if difference.numel() > 300:
        # Both round after each of two passes, in different orders: the sum of four roundings is
        # about 0.4 on average. On this noise a tenth of a pixel aside is 3 levels on average.
        assert difference.float().abs().mean() < 0.5
    # Where a pixel lies half between two others, the two may choose differently: in a small part,
    # one row and one column, as the middle ones of 50 that become 99.
    wrong = part_labels != expected_labels[window[0], window[1]]
    assert wrong.float().mean() < 0.05 or wrong.sum() <= sum(wrong.shape)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.7])
def test_small_and_large_parts_agree(factor: float) -> None:
    """A small part is made by Pillow from a box, a large one by torch and cut."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.integers(0, 256, (1, 3, 13, 21), np.uint8))
    image = torch.nn.functional.interpolate(coarse, (200, 300), mode="bicubic")[0]
    labels = torch.zeros(200, 300, dtype=torch.uint8)
    size = Size(int(200 * factor), int(300 * factor))
    large, _ = resize_part(image, labels, size, slice(0, size.height), slice(0, size.width))
    for top, left in ((0, 0), (size.height - 30, size.width - 40), (31, 57)):
        rows, columns = slice(top, top + 30), slice(left, left + 40)
        small, _ = resize_part(image, labels, size, rows, columns)
        difference = (small.int() - large[:, rows, columns].int()).abs()
        assert difference.max() <= 2
        assert difference.float().mean() < 0.1


def test_nothing_is_copied_where_nothing_is_resized() -> None:
    image = torch.zeros(3, 8, 9, dtype=torch.uint8)
    part, labels = resize_part(image, image[0], Size(8, 9), slice(2, 4), slice(1, 9))
    assert part.shape == (3, 2, 8)
    assert labels.shape == (2, 8)
    assert part.data_ptr() == image[:, 2:, 1:].data_ptr()
