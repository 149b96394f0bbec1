from __future__ import annotations

import numpy as np
import pytest
import torch

from hierseg.data.augmentation.blur import (
    BILATERAL_LEVELS,
    GAUSSIAN_SIGMA,
    blur_bilateral,
    blur_gaussian,
    blur_image,
)
from hierseg.data.augmentation.transforms import TrainingTransform
from hierseg.data.reading import UInt8Array
from hierseg.size import Size


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spot(level: int) -> UInt8Array:
    pixels = np.zeros((21, 21, 3), np.uint8)
    pixels[10, 10] = level
    return pixels


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.5])
def test_a_spot_becomes_a_gaussian_of_its_sigma(sigma: float) -> None:
    blurred = blur_gaussian(spot(255), sigma)[..., 0].astype(float)
    offsets = np.arange(21) - 10
    row = np.exp(-(offsets**2) / (2 * sigma**2))
    expected = 255 * np.outer(row, row) / row.sum() ** 2
    assert np.abs(blurred - expected).max() <= 1.5


def test_bilateral_blur_smooths_noise_and_spares_edges() -> None:
    step = np.full((40, 40, 3), 60, np.uint8)
    step[:, 20:] = 200
    noise = np.random.default_rng(0).integers(-12, 13, step.shape)
    noisy = (step + noise).astype(np.uint8)
    smooth = blur_bilateral(noisy, 60.0)
    deviation = [float((pixels[:, :20].astype(float) - 60).std()) for pixels in (noisy, smooth)]
    assert deviation[1] < 0.5 * deviation[0]
    edge = smooth[:, 20].astype(float).mean() - smooth[:, 19].astype(float).mean()
    assert edge > 120
    blurred = blur_gaussian(noisy, 1.5).astype(float)
    assert blurred[:, 20].mean() - blurred[:, 19].mean() < 60


def test_the_amount_spans_its_range_and_comes_from_the_generator() -> None:
    image = torch.from_numpy(spot(255)).permute(2, 0, 1)
    # What is left of a spot says how far it was blurred.
    peaks = [int(blur_image(image, "gaussian", seeded(seed))[0, 10, 10]) for seed in range(60)]
    low, high = (int(blur_gaussian(spot(255), sigma)[10, 10, 0]) for sigma in GAUSSIAN_SIGMA)
    assert max(peaks) == low
    assert min(peaks) == pytest.approx(high, abs=3)
    assert len(set(peaks)) > 20
    same = blur_image(image, "gaussian", seeded(7))
    assert torch.equal(same, blur_image(image, "gaussian", seeded(7)))


def test_the_amount_of_the_bilateral_blur_varies_too() -> None:
    noise = torch.randint(100, 140, (3, 24, 24), dtype=torch.uint8, generator=seeded(0))
    left = [
        float(blur_image(noise, "bilateral", seeded(seed)).float().std())
        / float(noise.float().std())
        for seed in range(30)
    ]
    pixels = np.ascontiguousarray(noise.permute(1, 2, 0).numpy())
    weak, strong = (
        float(blur_bilateral(pixels, levels).std()) / float(pixels.std())
        for levels in BILATERAL_LEVELS
    )
    assert weak >= max(left) > strong + 0.3
    assert strong <= min(left) < strong + 0.1


def test_none_draws_nothing() -> None:
    image = torch.from_numpy(spot(255)).permute(2, 0, 1)
    generator = seeded(0)
    before = generator.get_state()
    assert blur_image(image, "none", generator) is image
    assert torch.equal(generator.get_state(), before)


def test_the_transform_blurs_the_image_alone() -> None:
    labels = torch.randint(0, 3, (32, 32), dtype=torch.uint8, generator=seeded(0))
    image = (labels * 20).expand(3, -1, -1).contiguous()
    for blur in ("gaussian", "bilateral"):
        transform = TrainingTransform(Size(32, 32), 1.0, 1.0, 0.0, 0.0, blur=blur)  # type: ignore[arg-type]
        changed = 0
        for seed in range(8):
            new_image, new_labels = transform(image, labels, seeded(seed))
            assert torch.equal(new_labels, labels)
            changed += not torch.equal(new_image, image)
        assert changed >= 6
