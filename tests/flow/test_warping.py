from __future__ import annotations

import numpy as np
import pytest
import torch

from hierseg.flow import (
    find_leaving,
    leaves_picture,
    warp,
    warp_image,
    warp_labels,
    warp_nearest,
)


def _flow(u: float, v: float, height: int = 4, width: int = 5) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (height, width, 2)).copy()


def test_an_image_is_taken_from_where_the_flow_points() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    moved = warp_image(image, _flow(1, 2))
    assert np.array_equal(moved[:2, :4], image[2:, 1:])
    assert np.array_equal(moved[3, 4], image[3, 4])  # clamped to the corner


def test_no_flow_changes_nothing_at_any_size() -> None:
    image = np.random.default_rng(0).integers(0, 256, (37, 1201, 3), np.uint8)
    assert np.array_equal(warp_image(image, np.zeros((37, 1201, 2), np.float32)), image)


def test_values_between_pixels_are_bilinear_and_rounded_half_up() -> None:
    image = np.zeros((1, 3, 3), np.uint8)
    image[0, 1] = 255
    assert warp_image(image, _flow(0.5, 0, 1, 3))[0, :, 0].tolist() == [128, 128, 0]


def test_labels_take_the_nearest_with_halves_rounded_up() -> None:
    labels = np.array([[1, 2, 3, 4]], np.uint16)
    assert warp_labels(labels, _flow(0.5, 0, 1, 4)).tolist() == [[2, 3, 4, 4]]
    assert warp_labels(labels, _flow(0.49, 0, 1, 4)).tolist() == [[1, 2, 3, 4]]
    assert warp_labels(labels, _flow(-0.5, 0, 1, 4)).tolist() == [[1, 2, 3, 4]]
    assert warp_labels(labels, _flow(-0.51, 0, 1, 4)).tolist() == [[1, 1, 2, 3]]


def test_what_leaves_the_picture_is_filled_on_request() -> None:
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    flow = _flow(1, 0)
    assert warp_labels(labels, flow, fill=255)[:, 4].tolist() == [255] * 4
    assert warp_labels(labels, flow)[:, 4].tolist() == labels[:, 4].tolist()
    assert leaves_picture(flow).sum() == 4
    assert leaves_picture(_flow(0, -0.5)).sum() == 0
    assert leaves_picture(_flow(0, -0.6))[0].all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_values_that_are_no_flow_leave_the_picture(value: float) -> None:
    flow = _flow(0, 0)
    flow[1, 2, 0] = value
    labels = np.ones((4, 5), np.uint8)
    assert warp_labels(labels, flow, fill=9)[1, 2] == 9
    assert (warp_labels(labels, flow, fill=9) == 9).sum() == 1
    assert warp_image(np.full((4, 5, 3), 7, np.uint8), flow).min() == 7


def test_both_move_together_and_gradients_reach_the_flow() -> None:
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 6, 7)
    flow = torch.randint(-2, 3, (2, 2, 6, 7)).float().requires_grad_()
    assert torch.allclose(warp(maps, flow), warp_nearest(maps, flow), atol=1e-5)
    warp(maps, flow + 0.25).sum().backward()
    assert flow.grad is not None
    assert flow.grad.abs().sum() > 0
    assert find_leaving(flow).shape == (2, 6, 7)
