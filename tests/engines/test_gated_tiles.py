"""Tiles of a scale: where they lie, and how what is computed of them is joined."""

from __future__ import annotations

import pytest
import torch

from hierseg.engines.gated_tiles import HALO, RAMP, Joined, lay_axis, lay_tiles
from hierseg.size import Size

STRIDES = (4, 8, 16, 32)


@pytest.mark.parametrize("length", [64, 96, 288, 320, 504, 720, 960, 1440, 1928, 4096])
def test_cores_fill_an_axis_and_have_their_halo(length: int) -> None:
    axis = lay_axis(length, 8, 32, 288, HALO)
    assert axis.spans[0].low == 0
    assert axis.spans[-1].high == length
    for span, following in zip(axis.spans, axis.spans[1:], strict=False):
        assert span.high == following.low
    for span in axis.spans:
        assert 0 <= span.start <= length - axis.window
        assert span.start % 8 == span.low % 8 == 0
        assert span.low < span.high
        # At most half a rounding of the window's begin is missing.
        assert span.low == 0 or span.low - span.start >= HALO - 16
        assert span.high == length or span.start + axis.window - span.high >= HALO - 16
    assert axis.window % 32 == 0 or axis.window == length


def test_larger_images_have_larger_windows_up_to_a_bound() -> None:
    sides = [
        lay_tiles(Size(height, 2 * height), STRIDES).rows.window for height in (720, 1440, 2880)
    ]
    assert sides[0] < sides[1] < sides[2] < 600


def test_the_cost_of_a_tile_counts_its_halo() -> None:
    layout = lay_tiles(Size(720, 960), STRIDES)
    assert layout.count == 12
    assert layout.cost == pytest.approx(288 * 288 / (720 * 960))
    assert layout.cost * layout.count > 1.3


def test_the_average_is_of_the_core_alone() -> None:
    layout = lay_tiles(Size(720, 960), STRIDES)
    for tile in range(layout.count):
        values = torch.zeros(1, 1, 180, 240)
        row, column = layout.spans(tile)
        values[..., row.low // 4 : row.high // 4, column.low // 4 : column.high // 4] = 0.5
        expected = torch.zeros(1, layout.count)
        expected[0, tile] = 0.5
        assert torch.equal(layout.average(values), expected)


def _join(layout_size: Size, tiles: list[int], whole: torch.Tensor) -> tuple[Joined, torch.Tensor]:
    """The share, and what is joined of a map that every tile agrees on; -1 where there is none."""
    layout = lay_tiles(layout_size, STRIDES)
    joined = Joined(layout, 1)
    for tile in tiles:
        row, column = layout.spans(tile)
        rows = slice(row.start // 4, (row.start + layout.rows.window) // 4)
        columns = slice(column.start // 4, (column.start + layout.columns.window) // 4)
        joined.add(0, tile, whole[:, rows, columns])
    found, share = joined.finish(torch.full((1, *whole.shape), -1.0))
    return joined, torch.cat([found, share], dim=1)


def test_tiles_that_agree_give_the_whole() -> None:
    whole = torch.rand(3, 180, 240)
    _, found = _join(Size(720, 960), list(range(12)), whole)
    assert torch.allclose(found[0, :3], whole, atol=1e-5)
    assert torch.equal(found[0, 3], torch.ones(180, 240))


def test_a_tiles_share_falls_to_nothing_within_its_window() -> None:
    whole = torch.ones(1, 180, 240)
    joined, found = _join(Size(720, 960), [5], whole)
    values, share = found[0]
    row, column = joined.layout.spans(5)
    core = share[row.low // 4 : row.high // 4, column.low // 4 : column.high // 4]
    assert torch.equal(core, torch.ones_like(core))
    across = share[(row.low + row.high) // 8]
    # No step is larger than the ramp's, and nothing is left outside of the halo's inner part.
    assert across.diff().abs().max() <= 4 / RAMP + 1e-6
    assert not across[: (column.low - RAMP) // 4].any()
    assert not across[(column.high + RAMP) // 4 :].any()
    # There is a value wherever there is a share, and one cell further, as resizing mixes those.
    reach = torch.nn.functional.max_pool2d((share > 0).float()[None], 3, 1, 1)[0] > 0
    assert bool((values[reach] == 1).all())
    assert bool((values == -1).any())


def test_an_image_that_no_stride_divides_is_padded_with_itself() -> None:
    layout = lay_tiles(Size(333, 500), STRIDES)
    image = torch.rand(1, 3, 333, 500)
    padded = layout.pad(image)
    assert padded.shape == (1, 3, 336, 504)
    assert torch.equal(padded[..., :333, :500], image)
    assert torch.equal(padded[..., 335, 503], image[..., 332, 499])
    for tile in range(layout.count):
        assert layout.cut(padded, tile).shape[-2:] == (layout.rows.window, layout.columns.window)
