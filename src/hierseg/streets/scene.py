"""A whole scene, composed from a seed without regard to the size of the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hierseg.streets.camera import View
from hierseg.streets.kerbside import KerbBuilder
from hierseg.streets.lens import Lens, draw_lens
from hierseg.streets.light import Light, draw_light
from hierseg.streets.lots import LotBuilder
from hierseg.streets.paving import Paving, draw_paving
from hierseg.streets.people import Gait
from hierseg.streets.slots import Slots
from hierseg.streets.stage import Item
from hierseg.streets.street import Street, draw_street_plan
from hierseg.streets.traffic import TrafficBuilder


@dataclass(frozen=True)
class Scene:
    """All that a picture shows.

    Attributes:
        view: The camera.
        light: Weather and sun.
        street: The plan.
        paving: What the ground looks like.
        items: What stands on it, in no order.
        offset: (x, y) in 0..1 where textures and clouds begin.
        lens: What the camera makes of it.
        mirrored: Whether traffic keeps to the left: the picture is turned over.
        traffic: Number of the first item that may move; so may all after it.
        gaits: Who walks there, by the number of the item.
    """

    view: View
    light: Light
    street: Street
    paving: Paving
    items: tuple[Item, ...]
    offset: tuple[float, float]
    lens: Lens
    mirrored: bool
    traffic: int
    gaits: Mapping[int, Gait]


def compose_scene(seed: int) -> Scene:
    """The scene of a seed."""
    rng = np.random.default_rng(seed)
    light = draw_light(rng)
    street = draw_street_plan(rng)
    own_lane = int(rng.integers(street.right.lanes))
    slots = Slots()
    items = [
        *LotBuilder(rng, street, light).build(),
        *KerbBuilder(rng, street, light, slots).build(),
    ]
    standing = len(items)
    traffic = TrafficBuilder(rng, street, light, slots, own_lane)
    items += traffic.build()
    return Scene(
        view=_draw_view(rng, street, own_lane),
        light=light,
        street=street,
        paving=draw_paving(rng, street),
        items=tuple(items),
        offset=(float(rng.random()), float(rng.random())),
        lens=draw_lens(rng),
        mirrored=bool(rng.random() < 0.15),
        traffic=standing,
        gaits={standing + index: gait for index, gait in traffic.gaits.items()},
    )


def _draw_view(rng: np.random.Generator, street: Street, own_lane: int) -> View:
    return View(
        height=float(rng.uniform(1.3, 2.1)),
        lateral=float(street.right.lane_center(own_lane) + rng.normal(0, 0.25)),
        yaw=float(rng.normal(0, 0.035) + street.curvature * 9),
        pitch=float(rng.normal(0, 0.012)),
        roll=float(rng.normal(0, 0.007)),
        zoom=float(rng.uniform(0.72, 1.02)),
        horizon=float(rng.uniform(0.41, 0.5)),
    )
