"""A scene in time: the camera drives, vehicles and people move.

Nothing collides: a vehicle that follows another is no faster than the distance allows, and traffic
stops for people and vehicles that cross. A clip lasts a few seconds, so speeds are constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hierseg.streets.camera import Points, View
from hierseg.streets.figures import Figure
from hierseg.streets.scene import Scene, compose_scene
from hierseg.streets.stage import Item
from hierseg.streets.street import Street
from hierseg.streets.vehicles import BICYCLE, TRAIN, Vehicle

FRAMES_A_SECOND = 17.0
"""The frame rate of Cityscapes."""

_BESIDE = 1.7  # metres across within which one follows the other
_STEPS = 2 * np.pi * 0.9  # radians a second of a walk


@dataclass(frozen=True)
class _Mover:
    """Something that moves; ``index`` is None for the camera's own car.

    Attributes:
        index: Of the item.
        along: Metres along the street at the beginning.
        across: Metres across.
        turned: Its heading, less that of the street there.
        way: +1 along the street, -1 against it, 0 for what goes straight wherever it looks.
        half: Half its length.
        speed: Metres a second.
    """

    index: int | None
    along: float
    across: float
    turned: float
    way: int
    half: float
    speed: float

    def place(self, time: float) -> float:
        """Metres along after some seconds."""
        return self.along + self.way * self.speed * time


def drive(seed: int, frames: int) -> list[Scene]:
    """A scene at several times; the first is that of ``compose_scene``.

    Items have the same order at all times, and items that do not move are the same objects. The
    sensor's noise differs between times.
    """
    scene = compose_scene(seed)
    rng = np.random.default_rng([seed, 17])
    seconds = frames / FRAMES_A_SECOND
    movers = [_own_car(scene, rng), *_find_movers(scene, rng)]
    movers = _settle(scene.street, movers, seconds)
    car = next(mover for mover in movers if mover.index is None)
    lens = replace(scene.lens, margin=0.0)  # a border would not move with what is seen in it
    sway = rng.uniform(0, 2 * np.pi, 3)
    phases = {index: float(rng.uniform(0, 2 * np.pi)) for index in sorted(scene.gaits)}
    scenes = []
    for number in range(frames):
        time = number / FRAMES_A_SECOND
        items = list(scene.items)
        for mover in movers:
            if mover.index is not None:
                phase = phases.get(mover.index, 0.0) + _STEPS * time
                items[mover.index] = _moved(scene, mover, time, phase)
        scenes.append(
            replace(
                scene,
                view=_view(scene, car, time, sway),
                items=tuple(items),
                lens=replace(lens, noise_seed=lens.noise_seed + number),
            )
        )
    return scenes


def _own_car(scene: Scene, rng: np.random.Generator) -> _Mover:
    speed = 0.0 if rng.random() < 0.08 else float(rng.uniform(4, 12))
    return _Mover(None, 0.0, scene.view.lateral, 0.0, 1, 3.0, speed)


def _find_movers(scene: Scene, rng: np.random.Generator) -> list[_Mover]:
    street = scene.street
    usual = {1: float(rng.uniform(6, 12)), -1: float(rng.uniform(6, 12))}
    movers = []
    for index in range(scene.traffic, len(scene.items)):
        item = scene.items[index]
        assert isinstance(item, Vehicle | Figure)
        along, across = street.from_world(float(item.base[0]), float(item.base[2]))
        turned = float(_wrap(item.heading - street.heading(along)))
        half = float(np.ptp(item.body.footprint[:, 0]) / 2) if isinstance(item, Vehicle) else 1.0
        speed, way = usual[1] * float(rng.uniform(0.92, 1.08)), 0
        if index in scene.gaits:
            speed = float(rng.uniform(1.0, 1.6)) if scene.gaits[index].stride > 0.1 else 0.0
        elif abs(turned) < np.pi / 4 or abs(turned) > 3 * np.pi / 4:
            way = 1 if abs(turned) < np.pi / 4 else -1
            speed *= usual[way] / usual[1]
        if isinstance(item, Figure) and any(limb.label == BICYCLE for limb in item.limbs):
            speed = float(rng.uniform(3, 6))
        elif isinstance(item, Vehicle) and item.body.label == TRAIN:
            speed *= 0.75
        movers.append(_Mover(index, along, across, turned, way, half, speed))
    return movers


def _wrap(angle: float) -> float:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _settle(street: Street, movers: list[_Mover], seconds: float) -> list[_Mover]:
    """Slow down everything that would collide within the time."""
    settled = [mover for mover in movers if mover.way == 0]
    stops = _stops(street, settled)
    for way in (1, -1):
        ahead: list[_Mover] = []
        same = [mover for mover in movers if mover.way == way]
        for mover in sorted(same, key=lambda m: -way * m.along):
            speed = mover.speed
            for other in ahead:
                if abs(other.across - mover.across) < _BESIDE:
                    gap = abs(other.along - mover.along) - other.half - mover.half - 1.5
                    speed = min(speed, other.speed + gap / seconds)
            for stop in stops[way]:
                room = way * (stop - mover.along) - mover.half
                if room > -0.5:
                    speed = min(speed, room / seconds)
            ahead.append(replace(mover, speed=max(0.0, speed)))
        settled += ahead
    return settled


def _stops(street: Street, crossing: list[_Mover]) -> dict[int, list[float]]:
    """Places along, by direction, where traffic waits for what crosses."""
    stops: dict[int, list[float]] = {1: [], -1: []}
    zebra, junction = street.zebra, street.junction
    for start, stop in (
        (zebra - 0.6, zebra + 4.0) if zebra is not None else (0.0, 0.0),
        (junction.start - 0.5, junction.stop + 0.5) if junction is not None else (0.0, 0.0),
    ):
        if any(
            start < mover.along < stop and abs(abs(mover.turned) - np.pi / 2) < np.pi / 4
            for mover in crossing
        ):
            stops[1].append(start)
            stops[-1].append(stop)
    return stops


def _moved(scene: Scene, mover: _Mover, time: float, phase: float) -> Item:
    """An item after some seconds."""
    assert mover.index is not None
    item = scene.items[mover.index]
    assert isinstance(item, Vehicle | Figure)
    if mover.way:
        along = mover.place(time)
        base = scene.street.to_world(along, mover.across, item.base[1])
        heading = scene.street.heading(along) + mover.turned
    else:
        step = mover.speed * time
        base = item.base + step * np.array([np.sin(item.heading), 0.0, np.cos(item.heading)])
        heading = item.heading
    gait = scene.gaits.get(mover.index)
    if gait is None or mover.speed == 0:
        return replace(item, base=base, heading=heading)
    return gait.pose(base, heading, float(np.sin(phase)))


def _view(scene: Scene, car: _Mover, time: float, sway: Points) -> View:
    """Where the camera is after some seconds; a car in motion nods and sways a little."""
    along, view = car.place(time), scene.view
    wave = np.sin(np.array([1.1, 1.9, 1.4]) * 2 * np.pi * time + sway) - np.sin(sway)
    nod, turn, roll = wave * (0.0022, 0.0012, 0.0008) * min(car.speed / 6, 1.0)
    x, _, z = scene.street.to_world(along, view.lateral)
    return replace(
        view, lateral=float(x), ahead=float(z), yaw=view.yaw + scene.street.heading(along) + turn,
        pitch=view.pitch + nod, roll=view.roll + roll,
    )  # fmt: skip
