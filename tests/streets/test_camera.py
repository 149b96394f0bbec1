"""The camera: perspective of a pin-hole over a plane."""

from __future__ import annotations

import numpy as np
import pytest

from hierseg.streets.camera import NEAR, Camera, View

LEVEL = View(height=1.5, lateral=0.0, yaw=0.0, pitch=0.0, roll=0.0, zoom=0.9, horizon=0.45)
TURNED = View(height=1.7, lateral=2.0, yaw=0.1, pitch=-0.03, roll=0.02, zoom=0.8, horizon=0.5)


def test_a_ground_point_lies_below_the_horizon_by_height_over_distance() -> None:
    camera = Camera(LEVEL, 100, 200)
    pixels, depth = camera.project(np.array([[0.0, 0.0, 10.0], [2.0, 1.5, 20.0]]))
    horizon = 100 * 0.45 - 0.5
    assert pixels[0] == pytest.approx((99.5, horizon + 180 * 1.5 / 10))
    assert pixels[1] == pytest.approx((99.5 + 180 * 2 / 20, horizon))
    assert depth == pytest.approx((10, 20))


def test_turning_right_moves_things_left_and_looking_up_moves_them_down() -> None:
    point = np.array([[0.0, 1.5, 20.0]])
    straight = Camera(LEVEL, 100, 200).project(point)[0][0]
    right = Camera(View(1.5, 0, 0.1, 0, 0, 0.9, 0.45), 100, 200).project(point)[0][0]
    up = Camera(View(1.5, 0, 0, 0.1, 0, 0.9, 0.45), 100, 200).project(point)[0][0]
    assert right[0] == pytest.approx(straight[0] - 180 * np.tan(0.1))
    assert up[1] == pytest.approx(straight[1] + 180 * np.tan(0.1))


def test_pictures_of_another_size_show_the_same() -> None:
    points = np.array([[1.0, 0.5, 7.0], [-4.0, 3.0, 30.0]])
    small = Camera(TURNED, 100, 200).project(points)[0]
    large = Camera(TURNED, 300, 600).project(points)[0]
    assert (large + 0.5) / 3 == pytest.approx(small + 0.5)  # edges, not centres, are multiples


def test_plane_agrees_with_projection() -> None:
    camera = Camera(TURNED, 100, 200)
    origin, along, across = np.array([1.0, 0, 8]), np.array([0.1, 0, 1]), np.array([0, 2.0, 0])
    homogeneous = camera.plane(origin, along, across) @ (1.5, 0.5, 1)
    expected = camera.project((origin + 1.5 * along + 0.5 * across)[None])[0][0]
    assert homogeneous[:2] / homogeneous[2] == pytest.approx(expected)


def test_polygons_are_cut_at_the_near_plane() -> None:
    camera = Camera(LEVEL, 100, 200)
    road = np.array([[-2.0, 0, -5], [2, 0, -5], [2, 0, 40], [-2, 0, 40]])
    cut = camera.project_polygon(road)
    assert len(cut) == 4
    lowest = 100 * 0.45 - 0.5 + 180 * 1.5 / NEAR
    assert sorted(cut[:, 1])[-2:] == pytest.approx([lowest, lowest])
    assert len(camera.project_polygon(road - (0, 0, 50))) == 0


def test_ground_distance_is_the_inverse_of_projection() -> None:
    camera = Camera(View(1.7, 0, 0, -0.03, 0, 0.8, 0.5), 100, 200)
    pixels, depth = camera.project(np.array([[0.0, 0, 6], [0, 0, 25]]))
    assert camera.ground_distance(pixels[:, 1]) == pytest.approx(depth)
    assert np.isinf(camera.ground_distance(np.array([0.0]))).all()
