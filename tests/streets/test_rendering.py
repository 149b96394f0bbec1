"""Scenes: the same bytes for the same seed, legal labels, image and labels of one geometry."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES
from hierseg.size import Size
from hierseg.streets import rendering as rendering_module
from hierseg.streets.order import GroundPlan
from hierseg.streets.rendering import draw_street, render_scene
from hierseg.streets.scene import compose_scene

Pixels = npt.NDArray[np.uint8]
Scenes = list[tuple[Pixels, Pixels]]

SKY, ROAD = CITYSCAPES.names.index("sky"), CITYSCAPES.names.index("road")


def test_same_seed_and_size_give_the_same_bytes(scenes: Scenes) -> None:
    np.random.seed(1)  # noqa: NPY002 - the global generator must have no say
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    for seed in (0, 7):
        image, labels = draw_street(seed, Size(128, 256))
        assert image.tobytes() == scenes[seed][0].tobytes()
        assert labels.tobytes() == scenes[seed][1].tobytes()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_different_seeds_give_different_scenes(scenes: Scenes) -> None:
    for (image, labels), (other_image, other_labels) in itertools.pairwise(scenes):
        assert (labels == other_labels).mean() < 0.9
        assert np.abs(image.astype(int) - other_image).mean() > 10


@pytest.mark.parametrize("size", [Size(64, 128), Size(90, 120), Size(33, 47), Size(128, 64)])
def test_any_size_and_proportion(size: Size) -> None:
    image, labels = draw_street(3, size)
    assert image.shape == (*size, 3)
    assert labels.shape == size
    assert image.dtype == labels.dtype == np.uint8
    assert len(np.unique(CITYSCAPES.encode(labels))) >= 6


def test_every_class_occurs_often_enough_to_be_learnt(scenes: Scenes) -> None:
    seen = np.zeros(256)
    largest = np.zeros(256)
    for _, labels in scenes:
        shares = np.bincount(CITYSCAPES.encode(labels).ravel(), minlength=256) / labels.size
        seen += shares > 0.0005
        largest = np.maximum(largest, shares)
    for train_id, name in enumerate(CITYSCAPES.names):
        assert seen[train_id] >= 6, name  # of 40: 15%
        assert largest[train_id] > 0.006, name


def test_ids_are_cityscapes_and_some_are_ignored(scenes: Scenes) -> None:
    counts = sum(np.bincount(labels.ravel(), minlength=256) for _, labels in scenes)
    known = [*CITYSCAPES.raw_ids, *CITYSCAPES.ignored_raw_ids]
    assert set(np.flatnonzero(counts)) <= set(known)
    ego_vehicle, out_of_roi, static = 1, 3, 4
    assert counts[[ego_vehicle, out_of_roi, static]].all()
    assert 0.01 < counts[list(CITYSCAPES.ignored_raw_ids)].sum() / counts.sum() < 0.2


def test_sky_is_above_brighter_and_bluer_than_the_road(scenes: Scenes) -> None:
    rows = np.arange(128)[:, None]
    brighter, bluer = [], []
    for image, raw in scenes:
        labels = CITYSCAPES.encode(raw)
        sky, road = labels == SKY, labels == ROAD
        if sky.sum() < 200:
            continue
        assert (rows * sky).sum() / sky.sum() < (rows * road).sum() / road.sum()
        above, below = image[sky].mean(axis=0), image[road].mean(axis=0)
        brighter.append(above.mean() - below.mean())
        bluer.append((above[2] - above[0]) - (below[2] - below[0]))
    assert len(brighter) > 30
    assert np.mean(np.array(brighter) > 0) > 0.9
    assert np.mean(bluer) > 4


def test_label_borders_lie_on_image_edges(scenes: Scenes) -> None:
    def contrast(dy: int, dx: int) -> float:
        """Mean step of the image over borders between classes that are moved by (dy, dx)."""
        total, count = 0.0, 0
        for image, raw in scenes[:16]:
            labels = np.roll(CITYSCAPES.encode(raw), (dy, dx), (0, 1))[8:-8, 8:-8].astype(int)
            grey = image.mean(axis=2)[8:-8, 8:-8]
            for axis in (0, 1):
                step = np.abs(np.diff(grey, axis=axis))
                border = np.diff(labels, axis=axis) != 0
                total, count = total + step[border].sum(), count + border.sum()
        return total / count

    aligned = contrast(0, 0)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        assert aligned > 1.15 * contrast(dy, dx)
    for dy, dx in ((0, 3), (0, -3), (3, 0), (-3, 0)):
        assert aligned > 1.5 * contrast(dy, dx)


def test_another_size_shows_the_same_scene(scenes: Scenes) -> None:
    agreements = []
    for seed in range(6):
        image, labels = draw_street(seed, Size(256, 512))
        agreements.append((labels[::2, ::2] == scenes[seed][1]).mean())
        halved = image.reshape(128, 2, 256, 2, 3).mean(axis=(1, 3))
        assert np.abs(halved - scenes[seed][0]).mean() < 12
    assert min(agreements) > 0.9


def test_leaving_out_what_is_hidden_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    size = Size(64, 128)
    scenes = [compose_scene(seed) for seed in range(8)]
    drawn = [render_scene(scene, size) for scene in scenes]
    left_out = 0

    def keep_all(plan: GroundPlan, order: list[int], *rest: object) -> list[int]:
        nonlocal left_out
        left_out += len(order) - len(drop_hidden(plan, order, *rest))  # type: ignore[arg-type]
        return order

    drop_hidden = GroundPlan.drop_hidden
    monkeypatch.setattr(rendering_module.GroundPlan, "drop_hidden", keep_all)
    for scene, (image, labels) in zip(scenes, drawn, strict=True):
        all_painted = render_scene(scene, size)
        assert (all_painted[1] == labels).all()
        assert (all_painted[0] == image).all()
    assert left_out > 20


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 32"):
        draw_street(0, Size(16, 64))
    with pytest.raises(UsageError, match="negative"):
        draw_street(-1, Size(64, 128))
