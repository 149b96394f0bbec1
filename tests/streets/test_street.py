"""The plan of a street, and the textures it is laid out with."""

from __future__ import annotations

import numpy as np
import pytest

from hierseg.streets import surfaces
from hierseg.streets.slots import Slots
from hierseg.streets.street import Junction, Side, Street, draw_street_plan


def side(sign: int) -> Side:
    return Side(sign, inner=0.0, lanes=2, lane=3.0, cycle=1.5, parking=2.0, verge=1.0, pavement=2.5)


def plan(curvature: float = 0.0, junction: Junction | None = None) -> Street:
    return Street("city", curvature, 100.0, side(1), side(-1), "none", False, junction, None)


def test_strips_of_a_side_follow_one_another() -> None:
    half = side(-1)
    assert (half.traffic, half.strip, half.kerb, half.walk, half.lot) == (6, 7.5, 9.5, 10.5, 13)
    assert half.lane_center(1) == -4.5


@pytest.mark.parametrize("curvature", [0.0, 0.01, -0.02])
def test_a_bent_street_keeps_its_width_and_length(curvature: float) -> None:
    street = plan(curvature)
    along = np.linspace(0, 90, 400)
    left, middle, right = (street.to_world(along, across) for across in (-4.0, 0.0, 4.0))
    assert np.linalg.norm(right - left, axis=1) == pytest.approx(8.0)
    assert np.linalg.norm(np.diff(middle, axis=0), axis=1).sum() == pytest.approx(90, rel=1e-3)
    turned = np.arctan2(*(middle[-1] - middle[-2])[[0, 2]])
    assert turned == pytest.approx(street.heading(90), abs=0.01)


def test_a_junction_interrupts_the_sides_that_it_opens_to() -> None:
    street = plan(junction=Junction(20, 30, left=False, right=True))
    assert len(street.gaps(-1)) == 1
    (_, before), (after, end) = street.gaps(1)
    assert (before, after, end) == (20, 30, 100)


def test_drawn_plans_are_streets() -> None:
    for seed in range(50):
        street = draw_street_plan(np.random.default_rng(seed))
        for half in street.sides:
            assert 2.9 < half.lane < 3.7
            assert half.inner < half.traffic <= half.strip <= half.kerb <= half.walk < half.lot < 25
        if street.junction is not None:
            assert 10 < street.junction.start < street.junction.stop - 7
            assert street.junction.left or street.junction.right


def test_slots_never_overlap() -> None:
    rng, slots = np.random.default_rng(0), Slots()
    claims = [slots.claim("lane", 4.0, (5, 60), rng) for _ in range(30)]
    places = sorted(place for place in claims if place is not None)
    assert len(places) > 5
    assert (np.diff(places) >= 4).all()
    assert min(places) >= 7
    assert slots.claim("kerb", 4.0, (5, 60), rng) is not None


TEXTURES = ("asphalt", "paving", "cobbles", "grass", "brick", "blocks", "plaster", "leaves")


@pytest.mark.parametrize("name", TEXTURES)
def test_textures_are_seamless_and_leave_the_mean_color(name: str) -> None:
    texture = getattr(surfaces, name)()
    assert not texture.flags.writeable
    assert texture.mean() == pytest.approx(128, abs=14)
    assert 2 < texture.std() < 60
    inner = np.abs(np.diff(texture.astype(int), axis=0)).mean(axis=1)
    seam = np.abs(texture[0].astype(int) - texture[-1]).mean()
    assert seam <= inner.max() * 1.5


def test_samples_repeat_and_keep_their_scale() -> None:
    brick = surfaces.brick()
    natural = surfaces.TILE / surfaces.TILE_METRES
    piece = surfaces.sample(brick, (natural, natural), (0, 0), (surfaces.TILE, 700))
    assert (piece[:, : surfaces.TILE] == brick).all()
    assert (piece[:, surfaces.TILE :] == brick[:, : 700 - surfaces.TILE]).all()
    half = surfaces.sample(brick, (natural / 2, natural), (0, 0), (16, 256))
    assert (half == brick[:16, ::2]).all()
