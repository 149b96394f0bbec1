from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg.losses.label_sets import count_classes, count_members, find_mixed, touches_border

from .drawing import draw, draw_published, published_cases
from .test_boundary_relaxed import find_sets


@pytest.mark.parametrize("window", [0, 1, 2])
@pytest.mark.parametrize("strict", [(), (0, 2)])
def test_mixed_pixels_have_the_labels_around_them(window: int, strict: tuple[int, ...]) -> None:
    _, labels = draw((2, 4, 9, 12))
    mixed = find_mixed(labels.where(labels != 255, 4).short(), 4, window, strict)
    found = {
        (int(i), *divmod(int(at), 12)): sorted(set(mixed.members[:, p].tolist()))
        for p, (i, at) in enumerate(zip(mixed.image, mixed.position, strict=True))
    }
    expected = {
        (i, y, x): sorted(4 if c == 255 else int(c) for c in members)
        for i in range(2)
        for (y, x), members in find_sets(labels[i].numpy(), window, strict).items()
        if len(members) > 1
    }
    assert found == expected
    assert bool(expected) == (window > 0)


def test_a_border_is_two_labels_ignore_aside() -> None:
    _, labels = draw((2, 4, 9, 12))
    found = touches_border(labels.where(labels != 255, 4).short(), 4)
    for i, y, x in np.ndindex(*labels.shape):
        members = find_sets(labels[i].numpy(), 1)[y, x] - {255}
        assert found[i, y, x].item() == (len(members) > 1)


def test_members_are_counted_as_published(parity_dir: Path) -> None:
    for case in published_cases(parity_dir, "boundary_relaxed"):
        _, labels = draw_published(case, 0.15)
        classes = case["shape"][1]
        own = labels.where(labels != 255, classes).short()
        mixed = find_mixed(own, classes, case["border"], case["strict"] or ())
        single = torch.ones_like(own, dtype=torch.bool)
        single.flatten(1)[mixed.image, mixed.position] = False
        counts = count_classes(own, single, classes + 1) + count_members(mixed, 1, classes + 1)
        assert counts[0].tolist() == case["multihot_per_class"]
        assert int(counts.sum()) == case["multihot_sum"]


def test_classes_are_counted_image_by_image() -> None:
    classes = torch.tensor([[[0, 2, 2]], [[1, 1, 0]]])
    counted = torch.tensor([[[True, True, True]], [[True, True, False]]])
    assert count_classes(classes, counted, 3).tolist() == [[1, 0, 2], [0, 2, 0]]
