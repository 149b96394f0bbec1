from __future__ import annotations

import random
from collections import Counter

import cv2
import numpy as np
import pytest
import torch

from hierseg.data.augmentation import degradation
from hierseg.data.augmentation.degradation import (
    DEGRADATIONS,
    add_noise,
    blur_by_defocus,
    blur_by_motion,
    degrade_image,
    lower_contrast,
    turn_to_dusk,
    turn_to_night,
)
from hierseg.data.augmentation.transforms import TrainingTransform
from hierseg.data.reading import UInt8Array
from hierseg.errors import UsageError
from hierseg.size import Size


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(height: int = 60, width: int = 80) -> UInt8Array:
    """Blocks of colour, bright and dark."""
    small = np.random.default_rng(5).integers(20, 236, (-(-height // 10), -(-width // 10), 3))
    return small.repeat(10, 0).repeat(10, 1)[:height, :width].astype(np.uint8)


def distance(a: UInt8Array, b: UInt8Array) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_kind_is_stronger_with_its_strength_and_leaves_its_input(kind: str) -> None:
    pixels = scene()
    kept = pixels.copy()
    found = [DEGRADATIONS[kind](pixels, s, np.random.default_rng(3)) for s in (0.0, 0.5, 1.0)]
    assert np.array_equal(pixels, kept)
    for image in found:
        assert (image.shape, image.dtype) == (pixels.shape, np.uint8)
    changes = [distance(image, pixels) for image in found]
    assert changes[0] < changes[1] < changes[2]
    assert changes[2] > 5


@pytest.mark.parametrize("kind", sorted(set(DEGRADATIONS) - {"defocus", "jpeg"}))
def test_a_kind_differs_from_picture_to_picture_at_one_strength(kind: str) -> None:
    first, again, other = (
        DEGRADATIONS[kind](scene(), 0.6, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 2)])
def test_a_crop_may_leave_little_of_a_picture(size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, np.uint8)
    for degrade in DEGRADATIONS.values():
        assert degrade(pixels, 1.0, np.random.default_rng(0)).shape == pixels.shape


def test_noise_has_its_spread_and_follows_light_as_far_as_it_comes_from_it() -> None:
    dark, bright = (np.full((80, 80, 3), level, np.uint8) for level in (60, 180))
    ratios = []
    for seed in range(40):
        spreads = [
            float(add_noise(p, 0.2, np.random.default_rng(seed)).astype(float).std())
            for p in (dark, bright)
        ]
        assert 8 < spreads[0] < 27
        ratios.append(spreads[1] / spreads[0])
    assert min(ratios) < 1.1  # of the electronics
    assert max(ratios) > 1.5  # of the light; three times the light has 1.73 times the noise


def test_blurs_keep_the_light_and_have_their_lengths() -> None:
    point = np.zeros((101, 101, 3), np.uint8)
    point[49:52, 49:52] = 255
    line = blur_by_motion(point, 1.0, np.random.default_rng(0))[..., 0]
    disk = blur_by_defocus(point, 1.0, np.random.default_rng(0))[..., 0]
    for spread in (line, disk):
        assert spread.astype(float).sum() == pytest.approx(9 * 255, rel=0.06)
    (_, _), (long, wide), _ = cv2.minAreaRect(cv2.findNonZero(line))
    assert max(long, wide) == pytest.approx(14, abs=3)
    assert min(long, wide) < 6
    rows, columns = np.nonzero(disk)
    assert np.ptp(rows) == np.ptp(columns)
    assert 6 <= np.ptp(rows) <= 10


def test_dusk_and_night_are_dark_and_coloured() -> None:
    grey = np.full((60, 80, 3), 150, np.uint8)
    casts = []
    for seed in range(20):
        random_numbers = np.random.default_rng(seed)
        dusk = turn_to_dusk(grey, 1.0, random_numbers).astype(float)
        assert 30 < dusk.mean() < 90  # three stops are an eighth of the light
        casts.append(float(dusk[..., 0].mean() - dusk[..., 2].mean()))
        night = turn_to_night(grey, 1.0, np.random.default_rng(seed))
        assert float(np.median(night)) < 75
    assert min(casts) < -4
    assert max(casts) > 4


def test_low_contrast_leaves_a_tenth_around_a_grey() -> None:
    pixels = scene()
    found = lower_contrast(pixels, 1.0, np.random.default_rng(0)).astype(float)
    assert found.std() == pytest.approx(0.1 * pixels.std(), rel=0.1)
    assert abs(found.mean() - pixels.mean()) <= 41


def test_all_kinds_come_up_at_all_strengths(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, float]] = []

    def note(kind: str) -> degradation.Degradation:
        def record(pixels: UInt8Array, strength: float, _: np.random.Generator) -> UInt8Array:
            drawn.append((kind, strength))
            return pixels

        return record

    monkeypatch.setattr(degradation, "DEGRADATIONS", {kind: note(kind) for kind in DEGRADATIONS})
    image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    generator = seeded(0)
    for _ in range(900):
        degrade_image(image, generator)
    counts = Counter(kind for kind, _ in drawn)
    assert counts.keys() == DEGRADATIONS.keys()
    assert min(counts.values()) > 65
    strengths = [strength for _, strength in drawn]
    assert min(strengths) < 0.02
    assert max(strengths) > 0.98
    assert np.mean(strengths) == pytest.approx(0.5, abs=0.04)


def test_a_draw_is_of_its_generator_alone() -> None:
    image = torch.from_numpy(scene()).permute(2, 0, 1)
    for seed in range(15):
        first = degrade_image(image, seeded(seed))
        random.seed(seed + 1)
        np.random.seed(seed + 1)  # noqa: NPY002
        torch.manual_seed(seed + 1)
        cv2.setRNGSeed(seed + 1)
        assert torch.equal(degrade_image(image, seeded(seed)), first)
    assert not torch.equal(degrade_image(image, seeded(1)), degrade_image(image, seeded(2)))


def test_a_transform_degrades_the_image_alone_and_as_often_as_it_says() -> None:
    image = torch.from_numpy(scene()).permute(2, 0, 1)
    labels = torch.from_numpy(scene()[..., 0] // 50)
    # Larger than the picture, so that what is padded can be seen.
    crop = Size(90, 100)
    never, always, often = (
        TrainingTransform(crop, 0.7, 1.2, flip=0.0, color_jitter=0.0, degrade=p)
        for p in (0.0, 1.0, 0.3)
    )
    changed = 0
    for seed in range(60):
        clean, labelled = never(image, labels, seeded(seed))
        worse, same = always(image, labels, seeded(seed))
        assert torch.equal(labelled, same)
        padded = labelled == 255
        assert padded.any()
        assert not worse[:, padded].any()
        assert not torch.equal(clean, worse)
        changed += not torch.equal(often(image, labels, seeded(seed))[0], clean)
    assert 9 < changed < 29


def test_nothing_is_drawn_where_nothing_is_degraded() -> None:
    image = torch.from_numpy(scene()).permute(2, 0, 1)
    labels = torch.zeros(60, 80, dtype=torch.uint8)
    generator, other = seeded(4), seeded(4)
    TrainingTransform(Size(32, 32))(image, labels, generator)
    # As many numbers as scale, corner, jitter and flip take.
    torch.rand((), generator=other, dtype=torch.float64)
    for _ in range(2):
        torch.randint(0, 2, (), generator=other)
    for _ in range(4):
        torch.rand((), generator=other, dtype=torch.float64)
    torch.randperm(4, generator=other)
    torch.rand((), generator=other, dtype=torch.float64)
    assert torch.equal(generator.get_state(), other.get_state())


@pytest.mark.parametrize("degrade", [-0.1, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(degrade: float) -> None:
    with pytest.raises(UsageError, match=r"--data\.degrade"):
        TrainingTransform(Size(8, 8), degrade=degrade)
