"""Colours that can be told apart, by people with and without colour blindness."""

from __future__ import annotations

import numpy as np
import pytest
from experiments.color_vision import VISIONS, measure_distances, to_lab

from hierseg.errors import UsageError
from hierseg.labels import CAMVID, CITYSCAPES, LABEL_SPACES, MAPILLARY, LabelSpace
from hierseg.media.palettes import PALETTES, choose_colors, recolor
from hierseg.media.rendering import render_color, render_overlay
from hierseg.size import Size
from hierseg.streets.rendering import draw_street


def _space(names: tuple[str, ...]) -> LabelSpace:
    colors = tuple((7 * i % 256, 40, 90) for i in range(len(names)))
    return LabelSpace("own", names, colors, tuple(range(len(names))))


def _list_touching(labels: np.ndarray, classes: int) -> set[tuple[int, int]]:  # type: ignore[type-arg]
    """Pairs of classes of which a pixel lies beside, or above, one of the other."""
    pairs = set()
    for one, other in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        found = np.unique(one[one != other].astype(int) * 256 + other[one != other])
        pairs |= {(value // 256, value % 256) for value in found.tolist()}
    return {(a, b) for a, b in pairs if a < classes and b < classes}


def test_the_distances_are_those_of_the_definition() -> None:
    white, red, green = to_lab([[255, 255, 255], [255, 0, 0], [0, 255, 0]])
    assert white == pytest.approx([100, 0, 0], abs=0.01)
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert green == pytest.approx([87.73, -86.18, 83.18], abs=0.05)
    for vision in VISIONS:  # what has no colour is seen as it is
        greys = to_lab([[0, 0, 0], [128, 128, 128], [255, 255, 255]], vision)
        assert np.abs(greys[:, 1:]).max() < 0.1
    # A dark red and an olive green of one lightness, which people without red or green cones mix up
    pair = [[170, 60, 60], [110, 105, 40]]
    assert measure_distances(pair, ("normal",))[0, 1] > 40
    assert measure_distances(pair, ("deuteranopia",))[0, 1] < 20


@pytest.mark.parametrize(
    ("space", "distinct", "colorblind"),
    [(CAMVID, 55, 26), (CITYSCAPES, 40, 18), (MAPILLARY, 22, 9)],
    ids=lambda value: getattr(value, "name", value),
)
def test_all_classes_of_a_palette_can_be_told_apart(
    space: LabelSpace, distinct: float, colorblind: float
) -> None:
    away = 1e9 * np.eye(space.num_classes)
    own = measure_distances(space.colors, ("normal",)) + away
    for palette, visions, least in (
        ("distinct", ("normal",), distinct),
        ("colorblind", tuple(VISIONS), colorblind),
    ):
        colors = choose_colors(space, palette)[: space.num_classes]  # type: ignore[arg-type]
        distances = measure_distances(colors, visions) + away
        assert distances.min() >= least > own.min()
        assert to_lab(colors)[:, 0].min() > 20  # none is taken for the black of void


@pytest.mark.parametrize("vision", VISIONS)
def test_classes_that_touch_in_streets_differ_for_everybody(vision: str) -> None:
    touching: set[tuple[int, int]] = set()
    for number in range(4):
        raw = draw_street(number, Size(128, 256))[1]
        touching |= _list_touching(CITYSCAPES.encode(raw), 19)
    assert len(touching) > 60  # of both orders
    colors = choose_colors(CITYSCAPES, "colorblind")[:19]
    distances = measure_distances(colors, (vision,))
    own = measure_distances(CITYSCAPES.colors, (vision,))
    least = min(distances[pair] for pair in touching)
    assert least >= 18
    assert least > min(own[pair] for pair in touching)


@pytest.mark.parametrize("count", [1, 2, 5, 30, 66, 67, 140])
def test_a_palette_has_colours_for_any_number_of_classes(count: int) -> None:
    space = _space(tuple(f"c{i}" for i in range(count)))
    for palette in PALETTES:
        colors = choose_colors(space, palette)
        assert colors.shape == (256, 3)
        assert not colors[count:].any()
        assert len(np.unique(colors[:count], axis=0)) == count


def test_the_data_set_s_own_colours_stay_and_others_follow_them() -> None:
    for space in LABEL_SPACES.values():
        assert np.array_equal(choose_colors(space), space.color_table())
    blue = CITYSCAPES.names.index("sky")
    for palette in ("distinct", "colorblind"):
        sky = choose_colors(CITYSCAPES, palette)[blue].astype(int)  # type: ignore[arg-type]
        assert sky[2] > sky[0]
        other = recolor(CITYSCAPES, palette)  # type: ignore[arg-type]
        assert other.names == CITYSCAPES.names
        assert other.raw_ids == CITYSCAPES.raw_ids
        assert other.colors != CITYSCAPES.colors
    with pytest.raises(UsageError, match="none of dataset, distinct, colorblind"):
        choose_colors(CITYSCAPES, "pastel")  # type: ignore[arg-type]


def test_background_and_void_have_no_colour() -> None:
    space = _space(("Background", "lane", "kerb"))
    labels = np.repeat(np.array([[0, 1, 2, 255]], np.uint8), 12, axis=1).repeat(40, axis=0)
    image = np.random.default_rng(0).integers(0, 255, (*labels.shape, 3)).astype(np.uint8)
    plain = np.isin(labels, (0, 255))
    for palette in PALETTES:
        overlay = render_overlay(image, labels, space, palette=palette)
        assert np.array_equal(overlay[plain], image[plain])
        assert (overlay[~plain] != image[~plain]).any(axis=1).mean() > 0.9
    for palette in ("distinct", "colorblind"):
        color = render_color(labels, space, palette)  # type: ignore[arg-type]
        assert not color[plain].any()
        assert color[~plain].any(axis=1).all()
    assert not choose_colors(_space(("void",)), "distinct").any()


def test_names_stand_on_large_regions_alone() -> None:
    labels = np.zeros((200, 300), np.uint8)
    labels[100:] = 1
    labels[5:13, 5:13] = 2
    labels[:, 280:] = 255
    image = np.full((200, 300, 3), 90, np.uint8)
    space = _space(("road", "a name that is by far too long for the picture" * 3, "bollard"))
    named = render_overlay(image, labels, space, names=True)
    changed = (named != render_overlay(image, labels, space)).any(axis=2)
    assert changed[:100].any()
    assert not changed[100:].any()
    assert not changed[5:13, 5:13].any()
    rows, columns = np.nonzero(changed)
    assert abs(rows.mean() - 50) < 20  # in the middle of the region
    assert 6 <= np.ptp(rows) + 1 <= 30
    assert columns.max() < 280
