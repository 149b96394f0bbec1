"""From a scene to a picture and its label ids."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from hierseg.errors import UsageError
from hierseg.size import Size
from hierseg.streets.camera import Camera
from hierseg.streets.canvas import Canvas, Pixels
from hierseg.streets.ground import cast_shadows, paint_grain, paint_haze
from hierseg.streets.instances import Ids, InstanceMap
from hierseg.streets.lens import expose, mark_margin, paint_hood
from hierseg.streets.order import GroundPlan
from hierseg.streets.roadway import paint_roadway
from hierseg.streets.scene import Scene, compose_scene
from hierseg.streets.sky import paint_sky
from hierseg.streets.stage import Item, Stage
from hierseg.streets.tracing import Trace

OVER = 2  # rows and columns painted for one of the result
_SMALLEST = 32
_MOST_PIXELS = 40_000_000  # 3.1 GB of memory for each process that draws


def draw_street(seed: int, size: Size) -> tuple[Pixels, Pixels]:
    """Draw a street scene and its exact labels.

    The same seed and size give the same bytes; another size of the same proportions shows the same
    scene.

    Args:
        seed: Seed of the scene, at least 0.
        size: Height and width in pixels.

    Returns:
        The image (H, W, 3) uint8 RGB, and Cityscapes' label ids (H, W) uint8.

    Raises:
        UsageError: The size is too small for a scene, or the seed is negative.
    """
    return render_scene(_compose(seed, size), size)


def draw_street_instances(seed: int, size: Size) -> tuple[Pixels, Pixels, Ids]:
    """As ``draw_street``, with Cityscapes' instance ids.

    Returns:
        Image and label ids as from ``draw_street``; instance ids (H, W) uint16: label id * 1000 +
        number for persons, riders and vehicles, the label id for other pixels.
    """
    return _render(_compose(seed, size), size)


def _compose(seed: int, size: Size) -> Scene:
    check_scene_size(size)
    if seed < 0:
        raise UsageError(f"the seed of a street scene must not be negative, as {seed} is.")
    return compose_scene(seed)


def check_scene_size(size: Size) -> None:
    """Raise UsageError for a size that is too small or too large for a scene."""
    if min(size) < _SMALLEST:
        raise UsageError(
            f"a street scene of {size} is too small; give a --size of at least {_SMALLEST} pixels "
            "a side."
        )
    if size.height * size.width > _MOST_PIXELS:
        raise UsageError(
            f"a street scene of {size} is too large; give a --size of at most "
            f"{_MOST_PIXELS // 10**6} million pixels."
        )


def render_scene(scene: Scene, size: Size) -> tuple[Pixels, Pixels]:
    """A scene at a size; see ``draw_street``."""
    image, labels, _ = _render(scene, size, with_instances=False)
    return image, labels


def render_traced(
    scene: Scene, size: Size, begin: Callable[[Camera], Trace]
) -> tuple[Pixels, Pixels, Ids]:
    """As ``draw_street_instances``; the trace that ``begin`` returns is told of all painting."""
    return _render(scene, size, begin=begin)


def _render(
    scene: Scene,
    size: Size,
    with_instances: bool = True,
    begin: Callable[[Camera], Trace] | None = None,
) -> tuple[Pixels, Pixels, Ids]:
    height, width = size.height * OVER, size.width * OVER
    camera = Camera(scene.view, height, width)
    canvas = Canvas(height, width, begin(camera) if begin is not None else None)
    stage = Stage(canvas, camera, scene.light)
    paint_sky(canvas, stage.camera, scene.light, scene.offset)
    paint_roadway(stage, scene.street, scene.paving)
    paint_grain(stage, scene.offset, scene.paving.cobbled)
    instances = InstanceMap(height, width) if with_instances else None
    _paint_items(stage, scene.items, instances)
    paint_hood(canvas, scene.lens)
    reduced = cv2.resize(canvas.pixels, (size.width, size.height), interpolation=cv2.INTER_AREA)
    image = expose(np.ascontiguousarray(reduced[..., :3]), scene.lens)
    labels = canvas.labels[OVER - 1 :: OVER, OVER - 1 :: OVER].copy()
    mark_margin(labels, scene.lens)
    ids: Ids = labels.astype(np.uint16)
    if instances is not None:
        ids = instances.finish(instances.ids[OVER - 1 :: OVER, OVER - 1 :: OVER], labels)
    if scene.mirrored:
        image, labels, ids = image[:, ::-1], labels[:, ::-1], ids[:, ::-1]
    return (
        np.ascontiguousarray(image),
        np.ascontiguousarray(labels),
        np.ascontiguousarray(ids),
    )


def _paint_items(stage: Stage, items: tuple[Item, ...], instances: InstanceMap | None) -> None:
    """Lay the shadows on the ground, and paint what stands there from far to near."""
    camera = stage.camera
    footprints = [item.footprint for item in items]
    tall = cast_shadows(stage, [item for item in items if item.shades])
    cast_shadows(stage, items).darken(stage.canvas)
    paint_haze(stage)
    plan = GroundPlan(footprints, camera.position[[0, 2]], camera.heading)
    extents = np.array([item.extent for item in items])
    walls = np.array([item.wall for item in items])
    slope = 1.06 * camera.width / 2 / camera.focal  # a little more, as the camera may be tilted
    order = plan.far_to_near(plan.within(extents[:, 0], slope))
    order = plan.drop_hidden(order, extents, walls, float(camera.position[1]), slope)
    middles = np.array([footprint.mean(axis=0) for footprint in footprints])
    dark = tall.at(np.insert(middles, 1, 0.0, axis=1))
    for index in order:
        item = items[index]
        if stage.canvas.trace is not None:
            stage.canvas.trace.begin(index)
        lit = item if item.shades else item.shadowed(1 - 0.85 * dark[index])
        if instances is None:
            lit.paint(stage)
        else:
            instances.paint(lit, stage)
