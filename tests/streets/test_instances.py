"""Instance ids: which pixels are of one thing; image and labels do not change by them."""

from __future__ import annotations

import numpy as np

from hierseg.size import Size
from hierseg.streets.instances import BASE, FIRST, LAST
from hierseg.streets.rendering import draw_street, draw_street_instances

SIZE = Size(96, 192)


def test_they_leave_image_and_labels_as_they_are() -> None:
    for seed in range(6):
        image, labels, ids = draw_street_instances(seed, SIZE)
        plain = draw_street(seed, SIZE)
        assert np.array_equal(image, plain[0])
        assert np.array_equal(labels, plain[1])
        assert (ids.shape, ids.dtype) == (labels.shape, np.uint16)


def test_things_have_a_number_and_all_else_its_label() -> None:
    several = 0
    for seed in range(6):
        _, labels, ids = draw_street_instances(seed, SIZE)
        is_thing = (labels >= FIRST) & (labels <= LAST)
        assert np.array_equal(ids[~is_thing], labels[~is_thing])
        assert np.array_equal(ids[is_thing] // BASE, labels[is_thing])
        several = max(several, len(np.unique(ids[labels == 26])))
    assert several >= 3


def test_cars_that_touch_are_two() -> None:
    touching = False
    for seed in range(12):
        _, _, ids = draw_street_instances(seed, SIZE)
        left, right = ids[:, :-1], ids[:, 1:]
        touching |= bool(((left // BASE == 26) & (right // BASE == 26) & (left != right)).any())
    assert touching
