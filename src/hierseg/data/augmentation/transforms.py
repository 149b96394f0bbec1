"""Joint augmentation of image and label (METHOD section 6), drawn from a torch.Generator alone.

Images are (3, H, W) uint8 RGB tv_tensors, labels (H, W) uint8 train ids. Geometry comes first and
colour last, on the crop only; what is padded stays 0 in the image and ignore in the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Generator, Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from hierseg.data.augmentation.blur import Blur, blur_image
from hierseg.data.augmentation.degradation import degrade_image
from hierseg.data.augmentation.rand_augment import RandAugment
from hierseg.data.augmentation.random_numbers import draw_uniform
from hierseg.data.reading import UInt8Array
from hierseg.data.resampling import resize_part
from hierseg.data.view import find_factor
from hierseg.errors import UsageError
from hierseg.size import Size

Point = tuple[int, int]  # row, column

GREY = np.full((3, 1), 1.0) * (0.299, 0.587, 0.114)
"""(3, 3) RGB to its luma, as grey (ITU-R BT.601)."""


@dataclass(frozen=True)
class TrainingTransform:
    """Random scale, crop, colour jitter, blur, degradation, RandAugment and flip of a sample.

    Attributes:
        crop: Size of what comes out; None for that of the whole image, before the random scale.
        scale_min: Smallest factor of the random scale, which is uniform.
        scale_max: Largest factor.
        flip: Probability of a horizontal flip.
        color_jitter: Strength of the jitter in brightness, contrast, saturation and hue, 0 to 1.
        long_edge: Length in pixels that the longer side is brought to before the random scale.
        enlarge: Factor that the image is resized by before the random scale.
        short_edge: Length in pixels that the shorter side is brought to, instead of the longer.
        degrade: Probability that the image is degraded, in one way that is drawn.
        ignore: Label of padded pixels.
        blur: How the image is blurred, by an amount drawn anew for each sample.
        rand_augment: Steps that change image and labels after all this; none where it is None. A
            point that a crop was placed for may leave it by such a step.
    """

    crop: Size | None
    scale_min: float = 0.5
    scale_max: float = 2.0
    flip: float = 0.5
    color_jitter: float = 0.25
    long_edge: int | None = None
    enlarge: float = 1.0
    ignore: int = 255
    blur: Blur = "none"
    rand_augment: RandAugment | None = None
    short_edge: int | None = None
    degrade: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.scale_min <= self.scale_max:
            raise UsageError(
                f"a random scale from {self.scale_min} to {self.scale_max} is empty; "
                "set --data.scale-min above 0 and not above --data.scale-max."
            )
        if not 0 <= self.color_jitter <= 1:
            raise UsageError(
                f"--data.color-jitter {self.color_jitter} is out of range; give 0 to 1."
            )
        for flag, value in (("--data.flip", self.flip), ("--data.degrade", self.degrade)):
            if not 0 <= value <= 1:
                raise UsageError(f"{flag} {value} is not a probability; give 0 to 1.")

    def __call__(
        self, image: Tensor, labels: Tensor, generator: Generator, point: Point | None = None
    ) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        """One draw.

        Args:
            image: (3, H, W) uint8 RGB; fastest where its memory is channels-last.
            labels: (H, W) uint8.
            generator: All randomness comes from it.
            point: Row and column of a pixel of ``image`` that the crop must contain.

        Returns:
            Image (3, h, w) uint8 and labels (h, w) uint8 of the crop's size.
        """
        original = Size(*image.shape[-2:])
        size = self._draw_size(original, generator)
        crop = self.find_crop(original)
        if point is not None:
            point = scale_point(point, original, size)
        top, left = draw_corner(size, crop, generator, point)
        image, labels = resize_part(image, labels, size, *find_window(top, left, crop, size))
        if self.color_jitter:
            image = jitter_colors(image, self.color_jitter, generator)
        image = blur_image(image, self.blur, generator)
        # Nothing is drawn where nothing is degraded: samples stay what they were without it.
        if self.degrade and draw_uniform(generator) < self.degrade:
            image = degrade_image(image, generator)
        if self.rand_augment is not None:
            image, labels = self.rand_augment(image, labels, generator, self.ignore)
        image, labels = pad_pair(image, labels, top, left, crop, self.ignore)
        if draw_uniform(generator) < self.flip:
            image, labels = functional.horizontal_flip(image), functional.horizontal_flip(labels)
        return tv_tensors.Image(image.contiguous()), tv_tensors.Mask(labels.contiguous())

    def find_crop(self, size: Size) -> Size:
        """The size of what comes out of an image of a size."""
        return self._scale(size, 1.0) if self.crop is None else self.crop

    def _draw_size(self, size: Size, generator: Generator) -> Size:
        """The size that an image is brought to before the crop."""
        return self._scale(size, draw_uniform(generator, self.scale_min, self.scale_max))

    def _scale(self, size: Size, factor: float) -> Size:
        """floor(side * factor), the factor on top of what resizes every image."""
        factor *= find_factor(size, self.long_edge, self.short_edge, self.enlarge)
        return Size(*(max(1, int(side * factor)) for side in size))


def scale_point(point: Point, original: Size, size: Size) -> Point:
    """The pixel that holds the centre of ``point`` once the image is resized."""
    row, column = (
        min(int((coordinate + 0.5) * after / before), after - 1)
        for coordinate, before, after in zip(point, original, size, strict=True)
    )
    return row, column


def draw_corner(
    size: Size, crop: Size, generator: Generator, point: Point | None = None
) -> tuple[int, int]:
    """Row and column in the image of the crop's top left corner, uniform over what is allowed.

    Along a side where the image is large enough the crop stays inside it; where the crop is
    larger, the image stays inside the crop and the corner is not positive. A crop for a point
    contains it.
    """
    corner = []
    for axis in range(2):
        slack = size[axis] - crop[axis]
        low, high = min(0, slack), max(0, slack)
        if point is not None:
            low, high = max(low, point[axis] - crop[axis] + 1), min(high, point[axis])
        corner.append(int(torch.randint(low, high + 1, (), generator=generator)))
    return corner[0], corner[1]


def find_window(top: int, left: int, crop: Size, size: Size) -> tuple[slice, slice]:
    """Rows and columns of an image of some size that lie inside a crop."""
    return (
        slice(max(0, top), min(size.height, top + crop.height)),
        slice(max(0, left), min(size.width, left + crop.width)),
    )


def pad_pair(
    image: Tensor, labels: Tensor, top: int, left: int, crop: Size, ignore: int
) -> tuple[Tensor, Tensor]:
    """Both at the crop's size: the image with 0, the labels with ignore."""
    height, width = image.shape[-2:]
    if (height, width) == crop:
        return image, labels
    above, before = max(0, -top), max(0, -left)
    padding = [before, above, crop.width - width - before, crop.height - height - above]
    mask = tv_tensors.Mask(labels)
    return functional.pad(image, padding, fill=0), functional.pad(mask, padding, fill=ignore)


def jitter_colors(image: Tensor, strength: float, generator: Generator) -> Tensor:
    """Brightness, contrast and saturation by 1 -+ strength, hue by -+ strength turns, any order.

    ``strength`` is from 0 to 1; of the hue, half a turn either way is all there is.
    """
    brightness, contrast, saturation = (
        draw_uniform(generator, 1 - strength, 1 + strength) for _ in range(3)
    )
    hue = draw_uniform(generator, -min(strength, 0.5), min(strength, 0.5))
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    for step in torch.randperm(4, generator=generator).tolist():
        if step == 0:
            pixels = cv2.LUT(pixels, _blend_levels(0.0, brightness))
        elif step == 1:
            mean = float(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).mean())
            pixels = cv2.LUT(pixels, _blend_levels(mean, contrast))
        elif step == 2:
            pixels = cv2.transform(pixels, saturation * np.eye(3) + (1 - saturation) * GREY)
        else:
            pixels = turn_hue(pixels, hue)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _blend_levels(other: float, factor: float) -> UInt8Array:
    """(256,) what becomes of each level when ``other`` is mixed in: factor 1 leaves all alone."""
    levels = other + factor * (np.arange(256) - other)
    return np.round(levels).clip(0, 255).astype(np.uint8)


def turn_hue(pixels: UInt8Array, turns: float) -> UInt8Array:
    """(H, W, 3) uint8 RGB with its hue turned; 1 is the full circle.

    In 8-bit HSV, as torchvision does for PIL images: on a tensor it takes twenty times as long,
    more than all else that a sample needs.
    """
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(turns * 256) % 256)  # wraps round, as hue does
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), np.uint8)
