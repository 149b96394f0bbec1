"""Clips: frames of a scene in time, with exact labels and exact flow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.errors import UsageError
from hierseg.size import Size
from hierseg.streets.camera import Camera, Points
from hierseg.streets.canvas import Pixels
from hierseg.streets.driving import drive
from hierseg.streets.figures import Figure
from hierseg.streets.instances import Ids
from hierseg.streets.rendering import OVER, check_scene_size, render_traced
from hierseg.streets.scene import Scene
from hierseg.streets.solids import rotation
from hierseg.streets.stage import Item
from hierseg.streets.tracing import STILL, Moves, Pair, Sight, Trace
from hierseg.streets.vehicles import Vehicle


class Flow(NamedTuple):
    """The positions of a frame's points in a neighbouring frame.

    Attributes:
        flow: (H, W, 2) float32 displacements in pixels, x to the right and y downwards: what is
            at (x, y) here is at (x + u, y + v) there.
        visible: (H, W) bool; False where the point is outside the picture there, or hidden.
    """

    flow: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]


class Frame(NamedTuple):
    """A frame of a clip.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 Cityscapes' label ids.
        instances: (H, W) uint16 Cityscapes' instance ids; numbers are those of this frame alone.
        before: Flow to the frame before; None for the first.
        after: Flow to the frame after; None for the last.
    """

    image: Pixels
    labels: Pixels
    instances: Ids
    before: Flow | None
    after: Flow | None


def film_street(seed: int, size: Size, frames: int) -> Iterator[Frame]:
    """Draw the frames of a clip, one after the other.

    The same arguments give the same bytes. The first frame shows the scene of ``draw_street``,
    except for the noise and for a border outside the region of interest, which clips do not have.

    Raises:
        UsageError: The size is too small for a scene, a number is too small.
    """
    check_scene_size(size)
    if seed < 0:
        raise UsageError(f"the seed of a clip must not be negative, as {seed} is.")
    if frames < 1:
        raise UsageError(f"a clip has at least 1 frame, not {frames}.")
    scenes = drive(seed, frames)
    drawn: list[tuple[Pixels, Pixels, Ids, Sight]] = []
    for number, scene in enumerate(scenes):
        before = scenes[number - 1] if number else None
        after = scenes[number + 1] if number + 1 < frames else None
        drawn.append(_draw(scene, size, before, after))
        if number:
            yield _finish(drawn, number - 1, scene.mirrored)
        if number > 1:
            drawn[number - 2] = (*drawn[number - 2][:3], drawn[number - 1][3])  # no longer needed
    yield _finish(drawn, frames - 1, scenes[-1].mirrored)


def _draw(
    scene: Scene, size: Size, before: Scene | None, after: Scene | None
) -> tuple[Pixels, Pixels, Ids, Sight]:
    def moves_of(number: int) -> Moves:
        item = scene.items[number]
        others = [other.items[number] if other is not None else item for other in (before, after)]
        if all(other is item for other in others):
            return Moves((STILL, STILL))
        whole = _rigid(item, others[0]), _rigid(item, others[1])
        if isinstance(item, Figure) and number in scene.gaits:
            return Moves(whole, partial(_limb, item, others))
        return Moves(whole)

    trace: list[Trace] = []

    def begin(camera: Camera) -> Trace:
        trace.append(Trace(camera, moves_of))
        return trace[0]

    image, labels, ids = render_traced(scene, size, begin)
    return image, labels, ids, trace[0].sample(OVER)


def _rigid(item: Item, other: Item) -> Points:
    """The map (3, 4) that takes an item to where it is at another time."""
    if other is item:
        return STILL
    assert isinstance(item, Vehicle | Figure)
    assert isinstance(other, Vehicle | Figure)
    turn = rotation(other.heading) @ rotation(item.heading).T
    return np.column_stack([turn, other.base - turn @ item.base])


def _limb(item: Figure, others: list[Any], number: int) -> Pair:
    """How one limb moves to two other times: its axis turns, and its cross-section does not."""
    maps = []
    here = item.limbs[number].centers @ rotation(item.heading).T + item.base
    for other in others:
        there = other.limbs[number].centers @ rotation(other.heading).T + other.base
        axis, moved = here[-1] - here[0], there[-1] - there[0]
        length = float(axis @ axis)
        turn = np.eye(3)
        if length > 1e-9:
            turn += np.outer(moved - axis, axis) / length
        maps.append(np.column_stack([turn, there[0] - turn @ here[0]]))
    return maps[0], maps[1]


def _finish(drawn: list[tuple[Pixels, Pixels, Ids, Sight]], number: int, mirrored: bool) -> Frame:
    image, labels, ids, sight = drawn[number]
    flows: list[Flow | None] = []
    for step, after in ((-1, False), (1, True)):
        if not 0 <= number + step < len(drawn):
            flows.append(None)
            continue
        flow, visible = sight.flow(drawn[number + step][3], after)
        if mirrored:
            flow, visible = flow[:, ::-1] * np.array([-1, 1], np.float32), visible[:, ::-1]
        flows.append(Flow(np.ascontiguousarray(flow), np.ascontiguousarray(visible)))
    return Frame(image, labels, ids, *flows)
