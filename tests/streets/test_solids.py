"""Bodies of flat faces, and figures of limbs, as a camera sees them."""

from __future__ import annotations

import numpy as np
import pytest

from hierseg.streets.camera import Camera, View
from hierseg.streets.canvas import Canvas
from hierseg.streets.cars import SHAPES, build_car
from hierseg.streets.clothing import draw_looks
from hierseg.streets.light import Light
from hierseg.streets.people import PERSON, walker
from hierseg.streets.solids import PAINT, Body, box, rotation
from hierseg.streets.stage import Stage
from hierseg.streets.vehicles import CAR

LIGHT = Light(
    weather="overcast",
    sun=np.array([0.0, 1.0, 0.0]),
    direct=np.zeros(3),
    ambient=np.full(3, 1 / 0.86),  # an upright face keeps its own colour
    haze=np.zeros(3),
    haze_distance=1e9,
    zenith=np.zeros(3),
    clouds=0.0,
    lamps=False,
)
VIEW = View(height=1.5, lateral=0.0, yaw=0.0, pitch=0.0, roll=0.0, zoom=1.0, horizon=0.5)


@pytest.fixture
def stage() -> Stage:
    return Stage(Canvas(200, 300), Camera(VIEW, 200, 300), LIGHT)


def colors(stage: Stage) -> set[tuple[int, ...]]:
    return {tuple(color) for color in stage.canvas.pixels[stage.canvas.labels > 0][:, :3].tolist()}


def test_only_faces_that_look_at_the_camera_are_painted(stage: Stage) -> None:
    part = box((-2, 2), (0, 3), (-1, 1), (10, 10, 10))
    part.add_end(-2.01, (0, 3), (-1, 1), (200, 0, 0))
    part.add_end(2.01, (0, 3), (-1, 1), (0, 200, 0))
    body = Body([part], CAR, (-2, 2), 1, 3)
    body.paint(stage, np.array([0.0, 0, 12]), 0.0)
    assert (200, 0, 0) in colors(stage)
    assert (0, 200, 0) not in colors(stage)
    body.paint(stage, np.array([0.0, 0, 12]), np.pi)
    assert (0, 200, 0) in colors(stage)


def test_a_body_covers_its_projection_and_hides_behind_the_camera(stage: Stage) -> None:
    body = Body([box((-0.5, 0.5), (0, 2), (-1, 1), (90, 90, 90))], CAR, (-0.5, 0.5), 1, 2)
    body.paint(stage, np.array([0.0, 0, 10.5]), 0.0)
    rows, columns = np.nonzero(stage.canvas.labels == CAR)
    assert columns.min() == pytest.approx(149.5 - 300 * 1 / 10, abs=1)
    assert columns.max() == pytest.approx(149.5 + 300 * 1 / 10, abs=1)
    assert rows.max() == pytest.approx(99.5 + 300 * 1.5 / 10, abs=1)
    behind = Stage(Canvas(200, 300), stage.camera, LIGHT)
    body.paint(behind, np.array([0.0, 0, -5]), 0.0)
    assert not behind.canvas.labels.any()


def test_the_nearer_part_hides_the_farther(stage: Stage) -> None:
    near = box((-3, -2), (0, 2), (-1, 1), (200, 0, 0))
    far = box((2, 3), (0, 2), (-1, 1), (0, 0, 200))
    Body([near, far], CAR, (-3, 3), 1, 2).paint(stage, np.array([0.0, 0, 12]), 0.0)
    assert stage.canvas.pixels[110, 150, :3].tolist() == [200, 0, 0]
    Body([far, near], CAR, (-3, 3), 1, 2).paint(stage, np.array([0.0, 0, 12]), np.pi)
    assert stage.canvas.pixels[110, 150, :3].tolist() == [0, 0, 200]


def test_paint_changes_a_copy_alone() -> None:
    body = Body([box((-1, 1), (0, 1), (-1, 1), PAINT)], CAR, (-1, 1), 1, 1)
    red = body.painted((180, 20, 10))
    assert (red.colors == (180, 20, 10)).all()
    assert (body.colors == 0).all()


def test_headings_turn_from_along_the_street_to_the_right() -> None:
    forward, up, right = np.eye(3)
    assert rotation(0) @ forward == pytest.approx((0, 0, 1))
    assert rotation(np.pi / 2) @ forward == pytest.approx((1, 0, 0))
    assert rotation(0) @ right == pytest.approx((1, 0, 0))
    assert rotation(0.7) @ up == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_car_stands_on_the_ground_at_its_height(stage: Stage, name: str) -> None:
    shape = SHAPES[name][1]
    body = build_car(name, lit=False, closed=False).painted((120, 30, 30))
    body.paint(stage, np.array([0.0, 0, 12]), np.pi / 2)
    rows, columns = np.nonzero(stage.canvas.labels == CAR)
    scale = 300 / (12 - shape.width / 2)
    assert rows.max() == pytest.approx(99.5 + scale * 1.5, abs=3)
    assert np.ptp(rows) == pytest.approx(scale * shape.roof, rel=0.1)
    assert np.ptp(columns) == pytest.approx(scale * shape.length, rel=0.1)


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, 2.5])
def test_a_person_stands_on_the_ground_at_their_height(stage: Stage, heading: float) -> None:
    looks = draw_looks(np.random.default_rng(1))
    walker(looks, np.array([0.0, 0, 8]), heading, 0.4, 0.7).paint(stage)
    rows, columns = np.nonzero(stage.canvas.labels == PERSON)
    assert rows.max() == pytest.approx(99.5 + 300 * 1.5 / 8, abs=4)
    assert np.ptp(rows) == pytest.approx(300 * looks.tall / 8, rel=0.12)
    assert 0.2 < np.ptp(columns) / np.ptp(rows) < 0.75
