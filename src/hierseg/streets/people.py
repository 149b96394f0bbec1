"""People: walking, standing, sitting in a saddle; of any size, dressed in anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.clothing import Looks
from hierseg.streets.figures import Figure, Limb, limb
from hierseg.streets.solids import vector

PERSON, RIDER = 24, 25


def walker(
    looks: Looks, base: Points, heading: float, stride: float, swing: float, label: int = PERSON
) -> Figure:
    """Somebody on foot.

    Args:
        looks: Who.
        base: (3,) world point between the feet.
        heading: Radians from Z towards X.
        stride: Greatest angle of a leg in radians; 0 stands still.
        swing: Phase of the step, -1..1.
        label: Label id.
    """
    h = looks.tall
    hip, shoulder = 0.51 * h, 0.81 * h
    limbs: list[Limb] = []
    for side in (-1, 1):
        angle = stride * swing * side
        knee = np.array(
            [np.sin(angle) * 0.25 * h, hip - np.cos(angle) * 0.25 * h, side * 0.052 * h]
        )
        bend = angle - 0.5 * stride * max(0.0, -swing * side)
        foot = knee + np.array([np.sin(bend), -np.cos(bend), 0]) * 0.235 * h
        foot[1] = max(foot[1], 0.03 * h)
        limbs += _leg(looks, np.array([0, hip, side * 0.05 * h]), knee, foot, label)
        hand = np.array(
            [np.sin(-angle * 0.9) * 0.3 * h + 0.02, 0.5 * h, side * 0.15 * looks.stout * h]
        )
        elbow = np.array(
            [np.sin(-angle * 0.7) * 0.14 * h - 0.02, 0.65 * h, side * 0.145 * looks.stout * h]
        )
        limbs += _arm(
            looks,
            np.array([0, shoulder - 0.02 * h, side * 0.108 * looks.stout * h]),
            elbow,
            hand,
            label,
        )
    limbs += _trunk(looks, np.array([0, hip, 0]), np.array([0.01, shoulder, 0]), label)
    limbs += _head(looks, np.array([0.02, 0.925 * h, 0]), 1.0, label)
    return Figure(limbs, (), base, heading, (0.25, 0.25), h)


@dataclass(frozen=True)
class Gait:
    """Somebody who walks: who, and the greatest angle of a leg in radians."""

    looks: Looks
    stride: float

    def pose(self, base: Points, heading: float, swing: float) -> Figure:
        """Them at a point, in a phase of the step from -1 to 1."""
        return walker(self.looks, base, heading, self.stride, swing)


def seated(
    looks: Looks, saddle: Points, grips: Points, pedal: float, phase: float, label: int = RIDER
) -> list[Limb]:
    """The limbs of somebody in a saddle.

    Args:
        looks: Who.
        saddle: (3,) where they sit.
        grips: (3,) the right handlebar grip; the left one is its mirror image.
        pedal: Height of the pedals' axis.
        phase: Radians of the cranks.
        label: Label id.
    """
    h = looks.tall
    hip = np.asarray(saddle, float) + vector(0, 0.09, 0)
    lean = np.clip((grips[0] - hip[0]) * 0.55, 0.1, 0.42)
    shoulder = hip + vector(lean, np.sqrt(max(0.09, (0.3 * h) ** 2 - lean**2)), 0)
    limbs: list[Limb] = []
    for side in (-1, 1):
        turn = phase + (np.pi if side > 0 else 0)
        foot = np.array(
            [0.1 + 0.16 * np.cos(turn), pedal + 0.05 + 0.16 * np.sin(turn), side * 0.11]
        )
        knee = (hip + foot) / 2 + vector(0.24, 0.08, side * 0.03)
        limbs += _leg(looks, hip + vector(0, 0, side * 0.08), knee, foot, label)
        hand = grips * (1, 1, side) + vector(0, 0.03, 0)
        upper = shoulder + vector(0, -0.03, side * 0.18)
        elbow = (upper + hand) / 2 + vector(-0.03, -0.07, side * 0.06)
        limbs += _arm(looks, upper, elbow, hand, label)
    limbs += _trunk(looks, hip, shoulder, label)
    limbs += _head(looks, shoulder + vector(0.07, 0.2, 0), 1.05, label)
    return limbs


def _leg(looks: Looks, hip: Points, knee: Points, foot: Points, label: int) -> list[Limb]:
    thick = looks.stout * looks.tall
    bare = looks.dress == "skirt"
    cloth = looks.skin if bare else looks.bottom
    toe = foot + vector(0.07 * looks.tall, -0.012 * looks.tall, 0)
    return [
        limb([hip, knee], [0.056 * thick, 0.042 * thick], looks.bottom, label),
        limb([knee, foot], [0.04 * thick, 0.03 * thick], cloth, label),
        limb([foot, toe], [0.03 * thick, 0.022 * thick], looks.shoes, label),
    ]


def _arm(looks: Looks, shoulder: Points, elbow: Points, hand: Points, label: int) -> list[Limb]:
    thick = looks.stout * looks.tall
    sleeve = looks.top if looks.long_sleeves else looks.skin
    return [
        limb([shoulder, elbow], [0.036 * thick, 0.03 * thick], looks.top, label),
        limb([elbow, hand], [0.028 * thick, 0.022 * thick], sleeve, label),
        limb([hand], [0.027 * thick], looks.skin, label),
    ]


def _trunk(looks: Looks, hip: Points, shoulder: Points, label: int) -> list[Limb]:
    h = looks.tall
    wide, waist = 0.085 * looks.stout * h, 0.062 * looks.stout * h
    round_ = 0.052 * looks.stout * h
    points = [
        shoulder + vector(0, -0.03 * h, wide), shoulder + vector(0, -0.03 * h, -wide),
        hip + vector(0, 0.02 * h, waist), hip + vector(0, 0.02 * h, -waist),
    ]  # fmt: skip
    limbs = [limb(points, [round_, round_, round_ * 1.06, round_ * 1.06], looks.top, label)]
    if looks.dress != "none":
        hem = hip - vector(0, (0.2 if looks.dress == "skirt" else 0.14) * h, 0)
        flare = waist * 1.35
        color = looks.bottom if looks.dress == "skirt" else looks.top
        skirt = [
            hip + vector(0, 0, waist),
            hip - vector(0, 0, waist),
            hem + vector(0, 0, flare),
            hem - vector(0, 0, flare),
        ]
        limbs.append(limb(skirt, round_, color, label))
    if looks.bag == "back":
        middle = (hip + shoulder) / 2 - vector(0.11 * looks.stout * h * 0.8, -0.03 * h, 0)
        limbs.append(
            limb(
                [middle + vector(0, 0.08, 0), middle - vector(0, 0.09, 0)],
                0.075 * h,
                looks.bag_color,
                label,
            )
        )
    elif looks.bag == "hand":
        side = hip + vector(0.02, -0.09 * h, 0.19 * looks.stout * h)
        limbs.append(
            limb(
                [side + vector(0.08, 0, 0), side - vector(0.08, 0, 0)],
                0.05 * h,
                looks.bag_color,
                label,
            )
        )
    return limbs


def _head(looks: Looks, center: Points, size: float, label: int) -> list[Limb]:
    r = 0.058 * (0.4 * looks.tall + 1.04) * size
    limbs = [
        limb([center - vector(0.01, 0.1, 0)], [r * 0.6], looks.skin, label),
        limb(
            [center + vector(0, 0.02, 0), center - vector(0, 0.03, 0)],
            [r, r * 0.86],
            looks.skin,
            label,
        ),
        limb(
            [center + vector(-r * 0.42, r * 0.5, 0), center + vector(-r * 0.5, -r * 0.1, 0)],
            r * 0.88,
            looks.hair,
            label,
        ),
    ]
    if looks.hat is not None:
        top = center + vector(-0.01, r * 0.85, 0)
        limbs.append(
            limb([top + vector(0.02, 0, 0), top - vector(0.02, 0, 0)], r * 0.86, looks.hat, label)
        )
    return limbs
