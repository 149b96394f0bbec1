"""Rows of a resized map, against the whole."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hierseg.layers import (
    Band,
    MirroredMean,
    ResizedMap,
    TensorMap,
    resize_band,
    resize_map,
    split_rows,
    take_band,
)
from hierseg.size import Size


def _resize(x: Tensor, size: tuple[int, int], aligned: bool) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=aligned)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(
    ("own", "between", "size"),
    [((9, 7), (33, 30), (17, 40)), ((50, 9), (21, 9), (64, 11)), ((1, 1), (3, 2), (5, 5)),
     ((30, 6), (30, 12), (30, 12)), ((777, 3), (3111, 3), (1600, 4))],
)  # fmt: skip
def test_rows_are_those_of_the_whole(own, between, size, aligned: bool) -> None:
    values = torch.randn(2, 3, *own, generator=torch.Generator().manual_seed(0))
    expected = _resize(_resize(values, between, aligned), size, aligned)
    step_by_step = ResizedMap(ResizedMap(TensorMap(values), between, aligned), size, aligned)
    for count in (1, 3, size[0]):
        for band in split_rows(size, count):
            rows = take_band(values, band, between, align_corners=aligned)
            torch.testing.assert_close(rows, band.cut(expected), rtol=0, atol=2e-6)
            rows = step_by_step.rows(band.top, band.bottom)
            torch.testing.assert_close(rows, band.cut(expected), rtol=0, atol=2e-6)
    assert take_band(values, Band.whole(size), between, align_corners=aligned).equal(expected)


def test_a_band_takes_no_more_rows_than_it_is_made_of() -> None:
    band = Band(Size(400, 8), 100, 140)
    source = band.source((100, 2), align_corners=False)
    assert source == Band(Size(100, 2), 24, 36)
    # What lies outside of them does not count.
    values = torch.full((1, 1, 100, 2), torch.nan)
    values[..., 24:36, :] = 1
    assert take_band(values, band).equal(torch.ones(1, 1, 40, 8))


def test_half_precision_is_resized_in_single() -> None:
    values = torch.randn(1, 2, 6, 6).bfloat16()
    band = Band(Size(24, 24), 3, 9)
    with torch.autocast("cpu", torch.bfloat16):
        rows = take_band(values, band)
    expected = _resize(values.float(), (24, 24), False)
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows, band.cut(expected), rtol=0, atol=1e-6)


def test_gradients_are_those_of_the_whole() -> None:
    values = torch.randn(1, 2, 6, 5, dtype=torch.float32, requires_grad=True)
    band = Band(Size(20, 9), 4, 15)
    source = band.source((6, 5), align_corners=False)
    (expected,) = torch.autograd.grad(
        band.cut(_resize(values, (20, 9), False)).square().sum(), values
    )
    rows = resize_band(source.cut(values), source, band)
    (found,) = torch.autograd.grad(rows.square().sum(), values)
    torch.testing.assert_close(found, expected)


def test_the_mirrored_mean_turns_the_mirrored_one_back() -> None:
    values, mirrored = torch.randn(2, 1, 3, 8, 5).unbind(0)
    rows = MirroredMean(TensorMap(values), TensorMap(mirrored.clone())).rows(2, 6)
    torch.testing.assert_close(rows, (values + mirrored.flip(-1))[..., 2:6, :] / 2)


def test_a_map_of_the_size_is_not_resized() -> None:
    values = TensorMap(torch.zeros(1, 1, 4, 4))
    assert resize_map(values, (4, 4), False) is values
    assert resize_map(values, (8, 4), False).size == Size(8, 4)
