from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hierseg.data.augmentation.transforms import (
    TrainingTransform,
    draw_corner,
    jitter_colors,
    pad_pair,
    scale_point,
    turn_hue,
)
from hierseg.data.resampling import resize_part
from hierseg.errors import UsageError
from hierseg.size import Size

SIDES = st.integers(1, 60)
SEEDS = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blocks(height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A label map of large blocks of ids 1 to 7, and an image whose colours spell the id."""
    small = torch.randint(1, 8, (-(-height // 16), -(-width // 16)), generator=seeded(seed))
    labels = small.repeat_interleave(16, 0).repeat_interleave(16, 1)[:height, :width]
    image = torch.stack([(labels >> bit & 1) * 255 for bit in range(3)]).to(torch.uint8)
    return image, labels.to(torch.uint8)


def resize_pair(image: Tensor, labels: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    return resize_part(image, labels, size, slice(0, size.height), slice(0, size.width))


def spelled(image: Tensor) -> Tensor:
    return sum((image[bit] > 127).int() << bit for bit in range(3))  # type: ignore[return-value]


def shift_of_best_agreement(ids: Tensor, labels: Tensor) -> tuple[int, int]:
    """By how many rows and columns, up to 2, labels have to be moved to fit best."""
    agreement = {}
    for rows in range(-2, 3):
        for columns in range(-2, 3):
            moved = labels.roll((rows, columns), (0, 1))
            counted = (moved != 255) & (labels != 255)
            agreement[rows, columns] = float((ids == moved.int())[counted].float().mean())
    return max(agreement, key=lambda shift: agreement[shift])


def draws(transform: TrainingTransform, image: Tensor, labels: Tensor, count: int) -> list[Tensor]:
    return [transform(image, labels, seeded(seed))[0] for seed in range(count)]


@pytest.mark.parametrize("crop", [Size(48, 64), Size(200, 260)])
@pytest.mark.parametrize("long_edge", [None, 130])
def test_image_and_labels_stay_aligned(crop: Size, long_edge: int | None) -> None:
    image, labels = blocks(96, 128)
    transform = TrainingTransform(crop, 0.5, 2.0, color_jitter=0.0, long_edge=long_edge)
    for seed in range(40):
        new_image, new_labels = transform(image, labels, seeded(seed))
        assert new_image.shape == (3, *crop)
        assert new_labels.shape == tuple(crop)
        assert new_image.dtype == new_labels.dtype == torch.uint8
        counted = new_labels != 255
        assert shift_of_best_agreement(spelled(new_image), new_labels) == (0, 0)
        assert (new_image[:, ~counted] == 0).all()


@pytest.mark.parametrize("factor", [0.5, 1.3, 2.0, 3.0])
def test_resized_labels_have_the_centres_of_the_resized_image(factor: float) -> None:
    # A ramp one level a pixel: bicubic keeps it (but near the borders), nearest rounds it.
    ramp = torch.arange(100, dtype=torch.uint8).expand(40, 100)
    size = Size(int(40 * factor), int(100 * factor))
    image, labels = resize_pair(ramp.expand(3, -1, -1), ramp, size)
    difference = image[0, :, 10:-10].float() - labels[:, 10:-10].float()
    assert difference.abs().max() <= 1
    centres = ((torch.arange(size.width) + 0.5) * 100 / size.width).floor()
    assert torch.equal(labels[0].float(), centres)


def test_labels_are_never_blended() -> None:
    image, labels = blocks(64, 64)
    for size in (Size(31, 77), Size(97, 40)):
        assert set(resize_pair(image, labels, size)[1].unique().tolist()) <= set(range(1, 8))


def test_a_shrunk_image_is_antialiased() -> None:
    noise = torch.randint(0, 256, (3, 256, 256), dtype=torch.uint8, generator=seeded(0))
    image, _ = resize_pair(noise, noise[0], Size(64, 64))
    # The mean of 16 samples or so has a quarter of their deviation; one sample has all of it.
    assert image.float().std() < noise.float().std() / 3


def test_a_point_goes_to_the_pixel_that_holds_its_centre() -> None:
    assert scale_point((1, 1), Size(2, 4), Size(4, 2)) == (3, 0)
    assert scale_point((6, 9), Size(7, 10), Size(14, 30)) == (13, 28)
    assert scale_point((0, 99), Size(10, 100), Size(1, 1)) == (0, 0)


@settings(deadline=None, max_examples=300)
@given(SIDES, SIDES, SIDES, SIDES, st.floats(0.3, 3), SEEDS, st.data())
def test_a_crop_contains_its_point_and_stays_inside_the_image(
    height: int, width: int, rows: int, columns: int, factor: float, seed: int, data: st.DataObject
) -> None:
    original = Size(height, width)
    size = Size(max(1, int(height * factor)), max(1, int(width * factor)))
    point = data.draw(st.tuples(st.integers(0, height - 1), st.integers(0, width - 1)))
    scaled = scale_point(point, original, size)
    corner = draw_corner(size, Size(rows, columns), seeded(seed), scaled)
    for axis in range(2):
        side, crop = size[axis], (rows, columns)[axis]
        assert 0 <= scaled[axis] < side
        assert corner[axis] <= scaled[axis] < corner[axis] + crop
        if crop <= side:
            assert 0 <= corner[axis] <= side - crop
        else:
            assert side - crop <= corner[axis] <= 0


def test_the_point_is_found_in_the_crop() -> None:
    # A block around the point that survives every scale, on an otherwise empty map.
    transform = TrainingTransform(Size(24, 32), 0.5, 2.0, color_jitter=0.0)
    for seed in range(200):
        row, column = (int(v) for v in torch.randint(2, 78, (2,), generator=seeded(seed)))
        labels = torch.zeros(80, 100, dtype=torch.uint8)
        labels[row - 2 : row + 3, column - 2 : column + 3] = 1
        image = labels.expand(3, -1, -1) * 255
        _, cropped = transform(image, labels, seeded(seed), (row, column))
        assert (cropped == 1).any()


def test_corners_are_uniform_over_all_that_is_allowed() -> None:
    generator = seeded(0)
    inside = [draw_corner(Size(5, 9), Size(3, 4), generator) for _ in range(2000)]
    assert {row for row, _ in inside} == {0, 1, 2}
    assert {column for _, column in inside} == set(range(6))
    counts = np.bincount([column for _, column in inside])
    assert counts.min() > 2000 / 6 * 0.8
    around = [draw_corner(Size(9, 9), Size(3, 20), generator, (4, 0)) for _ in range(500)]
    assert {row for row, _ in around} == {2, 3, 4}
    assert {column for _, column in around} == set(range(-11, 1))


def test_padding_is_zero_and_ignore_and_survives_the_jitter() -> None:
    image, labels = blocks(20, 30)
    transform = TrainingTransform(Size(50, 40), 1.0, 1.0, flip=0.0, ignore=99)
    for seed in range(10):
        new_image, new_labels = transform(image, labels, seeded(seed))
        padded = new_labels == 99
        assert padded.sum() == 50 * 40 - 20 * 30
        assert (new_image[:, padded] == 0).all()
        rows, columns = torch.nonzero(~padded, as_tuple=True)
        top, left = int(rows.min()), int(columns.min())
        assert torch.equal(new_labels[top : top + 20, left : left + 30], labels)


def test_pad_pair_leaves_a_full_crop_alone() -> None:
    image, labels = blocks(8, 8)
    padded = pad_pair(image, labels, 3, 5, Size(8, 8), 255)
    assert padded[0] is image
    assert padded[1] is labels


def test_scales_span_the_range() -> None:
    # A white image on black padding shows its scaled size.
    image = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    labels = torch.zeros(40, 40, dtype=torch.uint8)
    transform = TrainingTransform(Size(100, 100), 0.5, 2.0, color_jitter=0.0)
    sides = [int((d[0] > 127).any(0).sum()) for d in draws(transform, image, labels, 200)]
    assert min(sides) in range(20, 24)
    assert max(sides) in range(76, 81)
    assert 45 < np.mean(sides) < 55
    transform = TrainingTransform(Size(100, 100), 0.5, 1.0, color_jitter=0.0, enlarge=2.0)
    sides = [int((d[0] > 127).any(0).sum()) for d in draws(transform, image, labels, 100)]
    assert min(sides) in range(40, 44)
    assert max(sides) in range(76, 81)
    transform = TrainingTransform(Size(100, 100), 0.5, 1.0, color_jitter=0.0, long_edge=60)
    wide = draws(transform, image[:, :10], labels[:10], 100)
    sides = [int((d[0] > 127).any(0).sum()) for d in wide]
    assert min(sides) in range(30, 33)
    assert max(sides) in range(57, 61)


@pytest.mark.parametrize(("flip", "expected"), [(0.0, 0), (1.0, 100), (0.5, 50)])
def test_flip_has_its_probability_and_flips_both(flip: float, expected: int) -> None:
    image, labels = blocks(32, 48, seed=3)
    transform = TrainingTransform(Size(32, 48), 1.0, 1.0, flip=flip, color_jitter=0.0)
    flipped = 0
    for seed in range(100):
        new_image, new_labels = transform(image, labels, seeded(seed))
        if torch.equal(new_image, image.flip(-1)):
            assert torch.equal(new_labels, labels.flip(-1))
            flipped += 1
        else:
            assert torch.equal(new_image, image)
            assert torch.equal(new_labels, labels)
    assert abs(flipped - expected) <= (15 if flip == 0.5 else 0)


def test_the_same_generator_gives_the_same_sample_whatever_the_global_state() -> None:
    image, labels = blocks(64, 64)
    transform = TrainingTransform(Size(40, 40))
    first = transform(image, labels, seeded(5))
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 the global state that must not matter
    second = transform(image, labels, seeded(5))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    other = transform(image, labels, seeded(6))
    assert not torch.equal(first[0], other[0])


def test_the_source_is_left_as_it_was() -> None:
    image, labels = blocks(64, 64)
    before = image.clone(), labels.clone()
    draws(TrainingTransform(Size(40, 40)), image, labels, 10)
    assert torch.equal(image, before[0])
    assert torch.equal(labels, before[1])


def test_channels_last_gives_the_same() -> None:
    image, labels = blocks(64, 64)
    last = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    transform = TrainingTransform(Size(40, 40))
    for seed in range(5):
        a, b = (transform(x, labels, seeded(seed))[0] for x in (image, last))
        assert (a.int() - b.int()).abs().max() <= 1
        assert a.is_contiguous()
        assert b.is_contiguous()


def jitter_ranges(measure: Callable[[Tensor], float], image: Tensor, only: int) -> list[float]:
    """What ``measure`` gives over many draws of one of the four kinds of jitter."""
    import hierseg.data.augmentation.transforms as module

    results = []
    original = torch.randperm
    try:
        module.torch.randperm = lambda *_, **__: torch.tensor([only])  # type: ignore[assignment]
        for seed in range(150):
            results.append(measure(jitter_colors(image, 0.25, seeded(seed)).float()))
    finally:
        module.torch.randperm = original  # type: ignore[assignment]
    return results


def test_brightness_contrast_and_saturation_span_a_quarter() -> None:
    grey = torch.full((3, 8, 8), 100, dtype=torch.uint8)
    brightness = [v / 100 for v in jitter_ranges(lambda x: float(x.mean()), grey, 0)]
    half = grey.clone()
    half[..., 4:] = 140
    contrast = [v / 40 for v in jitter_ranges(lambda x: float(x[0, 0, 7] - x[0, 0, 0]), half, 1)]
    red = grey.clone()
    red[0] = 140
    saturation = [v / 40 for v in jitter_ranges(lambda x: float((x[0] - x[1]).mean()), red, 2)]
    for values in (brightness, contrast, saturation):
        assert min(values) == pytest.approx(0.76, abs=0.04)
        assert max(values) == pytest.approx(1.24, abs=0.04)


def test_hue_spans_a_quarter_turn_both_ways() -> None:
    red = torch.zeros(3, 8, 8, dtype=torch.uint8)
    red[0] = 240
    # Towards green by a quarter turn: half a green; towards blue likewise.
    green = jitter_ranges(lambda x: float(x[1].mean() - x[2].mean()) / 240, red, 3)
    assert min(green) < -0.9
    assert max(green) > 0.9
    # Beyond a sixth of a turn red falls, and at a quarter half of it is left.
    left = jitter_ranges(lambda x: float(x[0].mean()) / 240, red, 3)
    assert min(left) == pytest.approx(0.5, abs=0.06)
    assert max(left) > 0.99


def test_jitter_of_no_strength_changes_nothing_but_rounding() -> None:
    image = torch.randint(0, 256, (3, 20, 20), dtype=torch.uint8, generator=seeded(0))
    unchanged = jitter_colors(image, 0.0, seeded(0))
    assert (unchanged.int() - image.int()).abs().float().mean() < 1.5


def test_hue_turns_the_circle() -> None:
    red = np.array([[[255, 0, 0]]], np.uint8)
    for turns, expected in ((1 / 3, [0, 255, 0]), (-1 / 3, [0, 0, 255]), (0.5, [0, 255, 255])):
        turned = turn_hue(red, turns).ravel().astype(int)
        assert np.abs(turned - expected).max() <= 6
    grey = np.full((4, 4, 3), 90, np.uint8)
    assert np.array_equal(turn_hue(grey, 0.2), grey)


def test_the_order_of_the_jitter_varies() -> None:
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8, generator=seeded(0))
    assert len({jitter_colors(image, 0.25, seeded(s)).numpy().tobytes() for s in range(9)}) == 9


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        ({"scale_min": 0.0}, "--data.scale-min"),
        ({"scale_min": 2.0, "scale_max": 1.0}, "--data.scale-max"),
        ({"color_jitter": 1.1}, "--data.color-jitter"),
        ({"flip": 1.5}, "--data.flip"),
    ],
)
def test_impossible_settings_name_the_flag(arguments: dict[str, float], flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        TrainingTransform(Size(8, 8), **arguments)  # type: ignore[arg-type]


def test_a_whole_image_is_the_crop_before_the_random_scale() -> None:
    image, labels = blocks(40, 56)
    plain = TrainingTransform(None, 1.0, 1.0, flip=0.0, color_jitter=0.0)
    found, found_labels = plain(image, labels, seeded(0))
    assert torch.equal(found.as_subclass(Tensor), image)
    assert torch.equal(found_labels.as_subclass(Tensor), labels)
    for scale in (0.5, 2.0):
        scaled = TrainingTransform(None, scale, scale, flip=0.0, color_jitter=0.0)
        found, found_labels = scaled(image, labels, seeded(0))
        assert found.shape == (3, 40, 56)
        assert (found_labels == 255).float().mean() == (0.75 if scale == 0.5 else 0)


def test_the_short_edge_is_resized_before_the_random_scale() -> None:
    image, labels = blocks(40, 56)
    transform = TrainingTransform(None, 1.0, 1.0, flip=0.0, color_jitter=0.0, short_edge=60)
    assert transform.find_crop(Size(40, 56)) == (60, 84)
    assert transform(image, labels, seeded(0))[0].shape == (3, 60, 84)
    assert transform.find_crop(Size(56, 40)) == (84, 60)
    fixed = TrainingTransform(Size(32, 32), short_edge=60)
    assert fixed.find_crop(Size(40, 56)) == (32, 32)
