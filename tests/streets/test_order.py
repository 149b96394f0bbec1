"""Who hides whom."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hierseg.streets.order import GroundPlan

EYE, AHEAD = np.zeros(2), np.array([0.0, 1.0])


def block(left: float, right: float, near: float, far: float) -> np.ndarray:
    return np.array([[left, near], [left, far], [right, far], [right, near]])


def order_of(*outlines: np.ndarray) -> list[int]:
    plan = GroundPlan(outlines, EYE, AHEAD)
    return plan.far_to_near(np.arange(len(outlines)))


def test_the_farther_comes_first_however_they_are_listed() -> None:
    blocks = [block(-1, 1, z, z + 1) for z in (5, 10, 20, 40)]
    for permutation in itertools.permutations(range(4)):
        order = order_of(*(blocks[i] for i in permutation))
        assert [permutation[i] for i in order] == [3, 2, 1, 0]


def test_beside_a_long_wall_the_outer_comes_first_even_if_its_middle_is_nearer() -> None:
    wall = block(3, 3.2, 2, 60)
    outside, inside = block(4, 5, 8, 9), block(1.5, 2.5, 40, 41)
    order = order_of(inside, wall, outside)
    assert order.index(2) < order.index(1) < order.index(0)


def test_a_long_house_is_painted_after_what_stands_behind_its_end() -> None:
    house, tree = block(4, 12, 10, 30), block(6, 7, 35, 36)
    assert order_of(house, tree) == [1, 0]
    assert order_of(tree, house) == [0, 1]


def test_things_that_stand_in_one_another_still_get_an_order() -> None:
    rng = np.random.default_rng(0)
    blocks = [block(x, x + 3, z, z + 9) for x, z in rng.uniform((-3, 5), (3, 20), (30, 2))]
    assert sorted(order_of(*blocks)) == list(range(30))


def test_within_keeps_what_reaches_into_the_view() -> None:
    outlines = [block(-1, 1, 5, 6), block(9, 10, 5, 6), block(-1, 1, -9, -8), block(-50, 50, 5, 6)]
    plan = GroundPlan(outlines, EYE, AHEAD)
    assert plan.within(np.zeros(4), 0.5).tolist() == [0, 3]
    assert plan.within(np.full(4, 6.0), 0.5).tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("height", "left", "kept"), [(4.0, 0.0, False), (9.0, 0.0, True), (4.0, 3.5, True)]
)
def test_only_what_is_wholly_behind_a_wall_is_dropped(
    height: float, left: float, kept: bool
) -> None:
    wall, thing = block(-2, 2, 10, 11), block(left - 1, left + 1, 20, 21)
    plan = GroundPlan([wall, thing], EYE, AHEAD)
    extents = np.array([[0.0, 5.0], [0.0, height]])
    shown = plan.drop_hidden([1, 0], extents, np.array([5.0, 0.0]), 1.5, 0.6)
    assert shown == ([1, 0] if kept else [0])


def test_nothing_is_hidden_by_what_is_no_wall() -> None:
    plan = GroundPlan([block(-2, 2, 10, 11), block(-1, 1, 20, 21)], EYE, AHEAD)
    extents = np.array([[0.0, 5.0], [0.0, 2.0]])
    assert plan.drop_hidden([1, 0], extents, np.zeros(2), 1.5, 0.6) == [1, 0]
