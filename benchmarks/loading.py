"""Training samples a second on one core, against plain Pillow.

Decode a 1024x2048 PNG, resize by a factor from 0.5 to 2, crop 512x512, jitter, flip, to a
normalised tensor: the image alone, as both sides can do it, and then with its label map, which ours
also checks and remaps. Both take the same draws, in turns, in seconds of one core; without jitter
their pictures are compared.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torchvision.transforms import functional as torchvision_functional

from hierseg.data import Sample, SegmentationDataset, TrainingTransform, read_dataset_image
from hierseg.data.augmentation.transforms import draw_corner
from hierseg.data.sampling.epochs import make_generator
from hierseg.labels import CITYSCAPES
from hierseg.size import Size
from hierseg.streets import draw_street

CROP = Size(512, 512)
DRAWS = 16
TARGET = 1.5
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def normalise(image: Tensor) -> Tensor:
    """(3, H, W) uint8 to normalised float32."""
    return (image.float() / 255 - MEAN) / STD


class Plain:
    """What a user of Pillow would write. ``strength`` is that of the jitter."""

    def __init__(self, dataset: SegmentationDataset, strength: float, labelled: bool) -> None:
        self.sample = dataset.samples[0]
        self.strength = strength
        self.labelled = labelled

    def __call__(self, draw: int) -> tuple[Tensor, Tensor | None]:
        """One sample: image (3, h, w) float, labels (h, w) int64."""
        generator = make_generator(0, 0, draw)
        image = Image.open(self.sample.image).convert("RGB")
        factor = 0.5 + 1.5 * _uniform(generator)
        size = Size(int(image.height * factor), int(image.width * factor))
        top, left = draw_corner(size, CROP, generator)
        box = (left, top, left + CROP.width, top + CROP.height)
        shape = (size.width, size.height)
        image = image.resize(shape, Image.Resampling.BICUBIC).crop(box)
        if self.strength:
            image = self._jitter(image, generator)
        labels = None
        if self.labelled and self.sample.label is not None:
            ids = Image.open(self.sample.label).resize(shape, Image.Resampling.NEAREST).crop(box)
            labels = torch.from_numpy(CITYSCAPES.encode(np.array(ids))).long()
        if _uniform(generator) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            labels = None if labels is None else labels.flip(-1)
        return normalise(torch.from_numpy(np.array(image)).permute(2, 0, 1)), labels

    def _jitter(self, image: Image.Image, generator: torch.Generator) -> Image.Image:
        for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            strength = 1 - self.strength + 2 * self.strength * _uniform(generator)
            image = enhancer(image).enhance(strength)
        turns = self.strength * (2 * _uniform(generator) - 1)
        hued: Image.Image = torchvision_functional.adjust_hue(image, turns)
        return hued


class Ours:
    """hierseg's reading and augmentation."""

    def __init__(self, dataset: SegmentationDataset, strength: float, labelled: bool) -> None:
        self.dataset = dataset
        self.transform = TrainingTransform(CROP, color_jitter=strength)
        self.labelled = labelled
        self.blank = torch.zeros(1024, 2048, dtype=torch.uint8)

    def __call__(self, draw: int) -> tuple[Tensor, Tensor | None]:
        """One sample: image (3, h, w) float, labels (h, w) int64."""
        generator = make_generator(0, 0, draw)
        labels = self.blank
        if self.labelled:
            record = self.dataset.read(0)
            pixels, labels = record.image, torch.from_numpy(record.labels)
        else:
            pixels = read_dataset_image(self.dataset.samples[0].image)
        image, cut = self.transform(torch.from_numpy(pixels).permute(2, 0, 1), labels, generator)
        return normalise(image.as_subclass(Tensor)), cut.as_subclass(Tensor).long()


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator, dtype=torch.float64))


def measure(sides: list[Callable[[int], object]], repeats: int = 3) -> list[float]:
    """Best seconds a sample of each side, which take turns."""
    best = [float("inf")] * len(sides)
    for _ in range(repeats):
        for place, side in enumerate(sides):
            start = time.process_time()
            for draw in range(DRAWS):
                side(draw)
            best[place] = min(best[place], (time.process_time() - start) / DRAWS)
    return best


def compare(dataset: SegmentationDataset) -> str:
    """How far pictures and labels are apart, without jitter."""
    plain, ours = Plain(dataset, 0.0, True), Ours(dataset, 0.0, True)
    worst, total, labels_apart = 0.0, 0.0, 0.0
    for draw in range(DRAWS):
        (image, labels), (other, other_labels) = plain(draw), ours(draw)
        difference = ((image - other) * STD * 255).abs()
        worst, total = max(worst, float(difference.max())), total + float(difference.mean())
        assert labels is not None
        assert other_labels is not None
        labels_apart = max(labels_apart, float((labels != other_labels).float().mean()))
    return (
        f"pictures without jitter: {total / DRAWS:.3f} levels of 255 apart on average, "
        f"{worst:.0f} at most; labels differ in {100 * labels_apart:.3f} % at most"
    )


def write_data(folder: Path) -> SegmentationDataset:
    """One street as PNG, as Cityscapes has them."""
    image, ids = draw_street(3, Size(1024, 2048))
    paths = folder / "image.png", folder / "label.png"
    for path, pixels in zip(paths, (image, ids), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        path.write_bytes(buffer.getvalue())
    return SegmentationDataset("cityscapes", "train", CITYSCAPES, [Sample("street", *paths)])


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with TemporaryDirectory() as folder:
        dataset = write_data(Path(folder))
        print(compare(dataset))
        for what, labelled in (("image", False), ("image and label map", True)):
            plain, ours = measure([Plain(dataset, 0.25, labelled), Ours(dataset, 0.25, labelled)])
            print(
                f"{what}: {1 / plain:.1f} a second by Pillow, {1 / ours:.1f} by hierseg: "
                f"{plain / ours:.2f} times (asked for: {TARGET})"
            )


if __name__ == "__main__":
    main()
