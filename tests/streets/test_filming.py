"""Clips: exact labels and exact flow of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from hierseg.errors import UsageError
from hierseg.size import Size
from hierseg.streets.driving import drive
from hierseg.streets.figures import Figure
from hierseg.streets.filming import Flow, Frame, film_street
from hierseg.streets.rendering import draw_street
from hierseg.streets.street import draw_street_plan
from hierseg.streets.vehicles import Vehicle

SIZE = Size(64, 128)
SEEDS = (15, 25)  # a bend and a hood; a bend, turned over


@pytest.fixture(scope="module")
def clips() -> dict[int, list[Frame]]:
    return {seed: list(film_street(seed, SIZE, 3)) for seed in SEEDS}


def flows(frames: list[Frame]) -> Iterator[tuple[Frame, Frame, Flow]]:
    """Every frame with a neighbour, and the flow from it to that neighbour."""
    for number, frame in enumerate(frames):
        for step, flow in ((-1, frame.before), (1, frame.after)):
            if flow is not None:
                yield frame, frames[number + step], flow


def warp(pixels: Any, flow: Flow) -> Any:
    rows, columns = np.indices(SIZE)
    column = np.floor(columns + flow.flow[..., 0] + 0.5).astype(int).clip(0, SIZE.width - 1)
    row = np.floor(rows + flow.flow[..., 1] + 0.5).astype(int).clip(0, SIZE.height - 1)
    return pixels[row, column]


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_warped_by_the_flow_are_those_of_the_other_frame(
    clips: dict[int, list[Frame]], seed: int
) -> None:
    kernel = np.ones((3, 3), np.uint8)
    for frame, other, flow in flows(clips[seed]):
        agree = warp(other.labels, flow) == frame.labels
        assert 0.5 < flow.visible.mean() < 1
        assert agree[flow.visible].mean() > 0.99  # at borders labels are sampled by pixels
        inner = cv2.erode(frame.labels, kernel) == cv2.dilate(frame.labels, kernel)
        assert (flow.visible & inner & ~agree).sum() <= 8  # thin things behind thin things
        assert agree[flow.visible].mean() > (other.labels == frame.labels).mean() + 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_images_warped_by_the_flow_agree_better_than_those_left_as_they_are(
    clips: dict[int, list[Frame]], seed: int
) -> None:
    for frame, other, flow in flows(clips[seed]):
        there = cv2.remap(
            other.image,
            np.arange(SIZE.width, dtype=np.float32)[None] + flow.flow[..., 0],
            np.arange(SIZE.height, dtype=np.float32)[:, None] + flow.flow[..., 1],
            cv2.INTER_LINEAR,
        )
        error, plain = (np.abs(frame.image.astype(float) - o) for o in (there, other.image))
        assert error[flow.visible].mean() < 0.75 * plain[flow.visible].mean()


def test_flows_to_and_fro_cancel_where_both_are_seen(clips: dict[int, list[Frame]]) -> None:
    first, second = clips[25][:2]
    assert first.after is not None
    assert second.before is not None
    back = warp(second.before.flow, first.after)
    seen = first.after.visible & warp(second.before.visible, first.after)
    gap = np.abs(first.after.flow + back).max(axis=-1)
    assert np.quantile(gap[seen], 0.98) < 0.6  # rounded to pixels, where surfaces meet


def test_ends_have_one_neighbour_and_what_leaves_is_not_seen(
    clips: dict[int, list[Frame]],
) -> None:
    frames = clips[15]
    assert frames[0].before is None
    assert frames[-1].after is None
    after = frames[0].after
    assert after is not None
    rows, columns = np.indices(SIZE)
    outside = (columns + after.flow[..., 0] < -0.5) | (rows + after.flow[..., 1] > SIZE[0] - 0.5)
    assert outside.any()
    assert not after.visible[outside].any()


def test_the_first_frame_is_the_scene_of_the_seed(clips: dict[int, list[Frame]]) -> None:
    for seed in SEEDS:
        _, labels = draw_street(seed, SIZE)
        same = clips[seed][0].labels == labels
        assert same[(labels != 3) & (clips[seed][0].labels != 3)].mean() > 0.99


def test_the_same_seed_gives_the_same_clip(clips: dict[int, list[Frame]]) -> None:
    again = next(iter(film_street(15, SIZE, 3)))
    assert again.image.tobytes() == clips[15][0].image.tobytes()
    assert again.after is not None
    assert clips[15][0].after is not None
    assert again.after.flow.tobytes() == clips[15][0].after.flow.tobytes()
    assert clips[15][0].image.tobytes() != clips[15][1].image.tobytes()


def test_the_camera_drives_and_things_move_without_driving_into_one_another() -> None:
    driven = 0
    for seed in range(12):
        scenes = drive(seed, 30)
        driven += scenes[-1].view.ahead > scenes[0].view.ahead + 2
        moved = [
            index
            for index, (a, b) in enumerate(zip(scenes[0].items, scenes[-1].items, strict=True))
            if a is not b
        ]
        assert moved
        assert min(moved) >= scenes[0].traffic
        cars = [
            item
            for item in scenes[-1].items[scenes[-1].traffic :]
            if isinstance(item, Vehicle | Figure) and abs(np.sin(item.heading)) < 0.5
        ]
        for index, car in enumerate(cars):
            for other in cars[index + 1 :]:
                assert np.hypot(*(car.base - other.base)[[0, 2]]) > 0.3
    assert driven >= 9


def test_places_along_and_across_are_found_again() -> None:
    for seed in range(6):
        street = draw_street_plan(np.random.default_rng(seed))
        x, _, z = street.to_world(31.0, -4.5)
        assert street.from_world(float(x), float(z)) == pytest.approx((31.0, -4.5))


def test_clips_that_cannot_be_are_refused() -> None:
    for seed, size, frames, said in (
        (0, SIZE, 0, "at least 1 frame"),
        (-1, SIZE, 2, "negative"),
        (0, Size(8, 8), 2, "at least 32"),
    ):
        with pytest.raises(UsageError, match=said):
            next(iter(film_street(seed, size, frames)))
