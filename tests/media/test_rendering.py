from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.media.rendering import (
    describe_legend,
    map_rows,
    render_color,
    render_grey,
    render_heat,
    render_overlay,
    shrink,
)

Pixels = npt.NDArray[np.uint8]


def test_colours_are_those_of_the_classes(labels: Pixels, space: LabelSpace) -> None:
    labels[0, 0] = space.ignore
    picture = render_color(labels, space)
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[1, 1].tolist() == list(space.colors[0])
    assert picture[30, 10].tolist() == list(space.colors[1])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_overlay_blends_inside_and_draws_thin_lines_between(
    labels: Pixels, space: LabelSpace, alpha: float
) -> None:
    grey = np.full((*labels.shape, 3), 100, np.uint8)
    picture = render_overlay(grey, labels, space, alpha)
    blend = 100 * (1 - alpha) + alpha * space.color_table()[labels].astype(float)
    differs = np.abs(picture - blend).max(axis=2) > 1
    line = np.zeros(labels.shape, bool)
    line[24, :] = True  # the last row of red above the others
    line[25:, 19] = True  # the last column of green beside blue
    assert np.array_equal(differs, line)


def test_overlay_leaves_ignored_pixels_and_the_image_itself_alone(
    image: Pixels, labels: Pixels, space: LabelSpace
) -> None:
    labels[5:9, 5:9] = space.ignore
    before = image.copy()
    picture = render_overlay(255 - image, labels, space)
    assert np.array_equal(picture[6:8, 6:8], 255 - image[6:8, 6:8])
    assert np.array_equal(image, before)


def test_one_class_alone_has_no_lines(space: LabelSpace) -> None:
    labels = np.zeros((40, 50), np.uint8)
    picture = render_overlay(np.zeros((40, 50, 3), np.uint8), labels, space)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


def test_lines_grow_with_the_image(space: LabelSpace) -> None:
    def line_width(side: int) -> int:
        labels = np.zeros((side, side), np.uint8)
        labels[:, side // 2 :] = 1
        picture = render_overlay(np.zeros((side, side, 3), np.uint8), labels, space, alpha=0.0)
        return int(picture[side // 4].any(axis=1).sum())

    assert line_width(64) == 1
    assert 2 <= line_width(1500) <= 3


def test_heat_gets_brighter_and_clips() -> None:
    picture = render_heat(np.array([[-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 7.0]], np.float32))
    brightness = picture[0].astype(int).sum(axis=1)
    assert np.array_equal(picture[0, 0], picture[0, 1])
    assert np.array_equal(picture[0, 5], picture[0, 6])
    assert (np.diff(brightness[1:6]) > 0).all()
    assert picture[0, 3, 0] > picture[0, 3, 2]  # red over blue: RGB, not BGR


def test_shrinking_keeps_the_shape_and_never_enlarges(image: Pixels) -> None:
    assert shrink(image, 30).shape == (20, 30, 3)
    assert shrink(image, 60) is image
    assert shrink(np.zeros((2, 4000, 3), np.uint8), 100).shape == (1, 100, 3)


def test_the_legend_says_what_each_value_means(space: LabelSpace) -> None:
    entry = describe_legend(space)[1]
    assert entry == {
        "train_id": 1,
        "raw_id": 300,
        "name": "green",
        "color": [20, 240, 30],
        "hex": "#14f01e",
    }


@pytest.mark.parametrize("size", [(150, 40), (1500, 20)])
def test_large_pictures_are_rendered_by_rows_with_the_same_result(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, CITYSCAPES.num_classes, (size[0] // 5, size[1] // 5))
    labels = coarse.repeat(5, 0).repeat(5, 1).astype(np.uint8)
    labels[:7] = CITYSCAPES.ignore
    image = generator.integers(0, 256, (*size, 3)).astype(np.uint8)
    values = generator.random(size).astype(np.float32)

    def render() -> list[Any]:
        return [
            render_color(labels, CITYSCAPES),
            render_overlay(image, labels, CITYSCAPES),
            render_grey(values),
            render_heat(values),
        ]

    whole = render()
    monkeypatch.setattr("hierseg.media.rendering.BAND_PIXELS", 300)
    for one, other in zip(whole, render(), strict=True):
        assert one.dtype == other.dtype == np.uint8
        assert np.array_equal(one, other)


def test_rows_with_a_margin_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hierseg.media.rendering.BAND_PIXELS", 8)
    values = np.arange(33 * 4).reshape(33, 4) ** 2

    def change(rows: Any) -> Any:
        return np.pad(rows, ((1, 1), (0, 0)))[2:] - rows  # what the next row has more

    assert np.array_equal(map_rows(change, values, margin=1), change(values))
    assert not np.array_equal(map_rows(change, values), change(values))


def test_an_overlay_is_its_formula_at_every_pixel() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (31, 47, 3), np.uint8)
    labels = random.integers(0, 19, (31, 47), np.uint8)
    labels[random.random(labels.shape) < 0.1] = CITYSCAPES.ignore
    labels = labels[:, ::-1]  # not contiguous
    color = CITYSCAPES.color_table()[labels]
    expected = cv2.addWeighted(image, 0.45, color, 0.55, 0)
    ignored = labels == CITYSCAPES.ignore
    expected[ignored] = image[ignored]
    line = np.zeros(labels.shape, bool)
    line[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    line[:-1] |= labels[:-1] != labels[1:]
    line &= ~ignored
    light = 0.6 * color + 0.4 * 255
    expected[line] = np.rint(0.25 * expected + 0.75 * light)[line]
    assert np.array_equal(render_overlay(image, labels, CITYSCAPES), expected)
    assert np.array_equal(render_color(labels, CITYSCAPES), color)
