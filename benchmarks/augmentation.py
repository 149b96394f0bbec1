"""What each augmentation adds to a training sample, decoding left out.

An image of Miniature Streets at 1024x2048, one thread; processor milliseconds a sample, the mean
over the same samples with each augmentation, and its ratio to scale, crop, jitter and flip alone.
"""

from __future__ import annotations

import time

import cv2
import torch
from torch import Tensor

from hierseg.data import RandAugment, TrainingTransform
from hierseg.size import Size
from hierseg.streets import draw_street

CROPS = {Size(352, 480): 100, Size(512, 512): 40, Size(1024, 2048): 12}


def build_transforms(crop: Size) -> dict[str, TrainingTransform]:
    """By what is added."""
    return {
        "scale, crop, jitter, flip": TrainingTransform(crop),
        "and Gaussian blur": TrainingTransform(crop, blur="gaussian"),
        "and bilateral blur": TrainingTransform(crop, blur="bilateral"),
        "and degradation": TrainingTransform(crop, degrade=1.0),
        "and RandAugment 2,9": TrainingTransform(crop, rand_augment=RandAugment(2, 9)),
    }


def time_transform(
    transform: TrainingTransform, image: Tensor, labels: Tensor, samples: int
) -> float:
    """Milliseconds a sample."""
    transform(image, labels, torch.Generator().manual_seed(0))
    start = time.process_time()
    for seed in range(samples):
        transform(image, labels, torch.Generator().manual_seed(seed))
    return 1000 * (time.process_time() - start) / samples


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    pixels, raw = draw_street(3, Size(1024, 2048))
    image, labels = torch.from_numpy(pixels).permute(2, 0, 1), torch.from_numpy(raw)
    for crop, samples in CROPS.items():
        plain = 0.0
        for name, transform in build_transforms(crop).items():
            taken = time_transform(transform, image, labels, samples)
            plain = plain or taken
            print(f"{crop} {name}: {taken:.1f} ms, {taken / plain:.1f} times", flush=True)


if __name__ == "__main__":
    main()
