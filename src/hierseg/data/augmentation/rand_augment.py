"""RandAugment on an image and its labels together (arXiv 1909.13719; METHOD section 6).

Each of N steps is one of fourteen, all equally likely. Colour steps change the image alone. Steps
that move pixels move both, the image bilinearly and the labels by nearest; uncovered pixels become
0 in the image and ignore in the labels. Colour steps come first, so that uncovered pixels stay 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from hierseg.errors import UsageError

STRONGEST = 30
"""The scale of M, as torchvision counts: 30 is as strong as a step can be."""
MOST_STEPS = 10
ANGLE, SHEAR, SHIFT, BLEND = 30.0, 0.3, 0.45, 0.9
"""Strongest: degrees; slope; share of the side; how far a factor departs from 1."""

FORM = re.compile(r"(\d+),(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Motion:
    """An affine map about the image's centre.

    Attributes:
        angle: Degrees, clockwise.
        right: Shift as a share of the width.
        down: Shift as a share of the height.
        shear: Degrees of the shear along x and along y.
    """

    angle: float = 0.0
    right: float = 0.0
    down: float = 0.0
    shear: tuple[float, float] = (0.0, 0.0)

    def move(self, image: Tensor, fill: int, mode: InterpolationMode) -> Tensor:
        """(C, H, W) moved; ``fill`` in uncovered pixels."""
        height, width = image.shape[-2:]
        moved: Tensor = functional.affine(
            image,
            angle=self.angle,
            translate=[round(self.right * width), round(self.down * height)],
            scale=1.0,
            shear=list(self.shear),
            interpolation=mode,
            fill=[fill],
        )
        return moved


def _slope(amount: float) -> float:
    return math.degrees(math.atan(SHEAR * amount))


# Amounts are from -1 to 1, the sign drawn at random: stronger or weaker, to one side or the other.
COLORS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "identity": lambda image, _: image,
    "autocontrast": lambda image, _: functional.autocontrast(image),
    "equalize": lambda image, _: functional.equalize(image),
    "solarize": lambda image, amount: functional.solarize(image, 255 * (1 - abs(amount))),
    "posterize": lambda image, amount: functional.posterize(image, 8 - round(4 * abs(amount))),
    "saturation": lambda image, amount: functional.adjust_saturation(image, 1 + BLEND * amount),
    "contrast": lambda image, amount: functional.adjust_contrast(image, 1 + BLEND * amount),
    "brightness": lambda image, amount: functional.adjust_brightness(image, 1 + BLEND * amount),
    "sharpness": lambda image, amount: functional.adjust_sharpness(image, 1 + BLEND * amount),
}
MOTIONS: dict[str, Callable[[float], Motion]] = {
    "rotate": lambda amount: Motion(angle=ANGLE * amount),
    "shear-x": lambda amount: Motion(shear=(_slope(amount), 0.0)),
    "shear-y": lambda amount: Motion(shear=(0.0, _slope(amount))),
    "translate-x": lambda amount: Motion(right=SHIFT * amount),
    "translate-y": lambda amount: Motion(down=SHIFT * amount),
}
STEPS = (*COLORS, *MOTIONS)


@dataclass(frozen=True)
class RandAugment:
    """N steps of strength M.

    Attributes:
        steps: N, from 1 to 10.
        strength: M, from 0 to 30.
    """

    steps: int
    strength: float

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS or not 0 <= self.strength <= STRONGEST:
            raise UsageError(
                f"RandAugment of {self.steps} steps and strength {self.strength:g} is out of "
                f"range; give --data.rand-augment N,M, N from 1 to {MOST_STEPS} and M from 0 to "
                f"{STRONGEST}."
            )

    @classmethod
    def parse(cls, text: str) -> RandAugment:
        """``"2,9"``: two steps of strength 9 of 30; UsageError naming the flag for another form."""
        form = FORM.fullmatch(text.replace(" ", ""))
        if form is None:
            raise UsageError(
                f"'{text}' is not N,M; give --data.rand-augment steps and strength, such as 2,9."
            )
        return cls(int(form[1]), float(form[2]))

    def __call__(
        self, image: Tensor, labels: Tensor, generator: Generator, ignore: int
    ) -> tuple[Tensor, Tensor]:
        """One draw.

        Args:
            image: (3, H, W) uint8 RGB.
            labels: (H, W) uint8.
            generator: All randomness comes from it.
            ignore: Label of uncovered pixels.

        Returns:
            Image and labels of the same sizes and types.
        """
        drawn = [self._draw(generator) for _ in range(self.steps)]
        image = image.as_subclass(Tensor)
        for name, amount in drawn:
            if name in COLORS:
                image = COLORS[name](image, amount)
        motions = [MOTIONS[name](amount) for name, amount in drawn if name in MOTIONS]
        return move_pair(image, labels, motions, ignore)

    def _draw(self, generator: Generator) -> tuple[str, float]:
        name = STEPS[int(torch.randint(len(STEPS), (), generator=generator))]
        sign = 1 - 2 * int(torch.randint(2, (), generator=generator))
        return name, sign * self.strength / STRONGEST


def move_pair(
    image: Tensor, labels: Tensor, motions: list[Motion], ignore: int
) -> tuple[Tensor, Tensor]:
    """(3, H, W) uint8 image and (H, W) uint8 labels, moved alike, one motion after another."""
    mask: Tensor = tv_tensors.Mask(labels)
    for motion in motions:
        image = motion.move(image, 0, InterpolationMode.BILINEAR)
        mask = motion.move(mask, ignore, InterpolationMode.NEAREST)
    return image, mask.as_subclass(Tensor)
