"""The street itself: carriageways, kerbs, pavements, verges, and what is marked on them."""

from __future__ import annotations

import numpy as np

from hierseg.streets.ground import GROUND, PARKING, RAIL_TRACK, ROAD, SIDEWALK, TERRAIN, fill_ground
from hierseg.streets.paving import Paving
from hierseg.streets.stage import Stage
from hierseg.streets.street import KERB, Side, Street

_FAR_ASIDE = 90.0  # metres to which a crossing street is drawn


def paint_roadway(stage: Stage, street: Street, paving: Paving) -> None:
    """Paint all ground from the lots' grass to the markings; texture and haze come later."""
    _paint_lots(stage, street, paving)
    _paint_road(stage, street, paving)
    _paint_reservation(stage, street, paving)
    for side in street.sides:
        _paint_strips(stage, street, side, paving)
        for start, stop in street.gaps(side.sign):
            _paint_pavement(stage, street, side, paving, (start, stop))
    _paint_tracks(stage, street)
    _paint_lines(stage, street, paving)
    _paint_crossing(stage, street, paving)


def _paint_lots(stage: Stage, street: Street, paving: Paving) -> None:
    far = 400.0
    color, label = (paving.grass, TERRAIN) if paving.green_lots else (paving.bare, GROUND)
    corners = np.array([[-far, 0, -5], [far, 0, -5], [far, 0, far * 4], [-far, 0, far * 4]], float)
    fill_ground(stage, corners, color, label)


def _paint_road(stage: Stage, street: Street, paving: Paving) -> None:
    # It goes on below the kerbs, which bends sample elsewhere: no ground may show in between.
    left, right = -street.left.kerb - 0.4, street.right.kerb + 0.4
    outline = street.strip(-3, street.length, left, right)
    fill_ground(stage, outline, paving.asphalt, ROAD)
    junction = street.junction
    if junction is not None:
        far_left = -_FAR_ASIDE if junction.left else 0.0
        far_right = _FAR_ASIDE if junction.right else 0.0
        for start, stop, color, label in (
            (junction.start - 3, junction.stop + 3, paving.pavement, SIDEWALK),
            (junction.start, junction.stop, paving.asphalt, ROAD),
        ):
            for inner, outer in ((0.0, far_right), (far_left, 0.0)):
                if inner != outer:
                    corners = street.to_world(
                        [start, stop, stop, start], [inner, inner, outer, outer]
                    )
                    fill_ground(stage, corners, color, label)
        fill_ground(stage, outline, paving.asphalt, ROAD)
    for along, across, length, width in paving.patches:
        patch = street.strip(along, along + length, across, across + width)
        fill_ground(stage, patch, np.asarray(paving.asphalt) * 0.86, ROAD)


def _paint_reservation(stage: Stage, street: Street, paving: Paving) -> None:
    if street.reservation == "none":
        return
    width = street.right.inner - 0.15
    grassy = street.reservation == "grass"
    color = paving.grass if grassy else np.array([122, 112, 102])
    for start, stop in _stretches(street):
        _raise(stage, street, (start, stop), -width, width, paving, 0.08)
        label = TERRAIN if grassy else RAIL_TRACK
        fill_ground(stage, street.strip(start, stop, -width, width, 0.08), color, label)


def _stretches(street: Street) -> list[tuple[float, float]]:
    """Where the reservation and lines along the street are not interrupted by what crosses."""
    gaps = []
    if street.zebra is not None:
        gaps.append((street.zebra - 0.8, street.zebra + 4.0))
    if street.junction is not None:
        gaps.append((street.junction.start - 5, street.junction.stop + 2))
    marks = [-4.0]
    for start, stop in gaps:
        marks += [max(start, marks[-1]), stop]
    marks.append(street.length)
    return [(a, b) for a, b in zip(marks[::2], marks[1::2], strict=True) if b - a > 0.5]


def _paint_strips(stage: Stage, street: Street, side: Side, paving: Paving) -> None:
    """Cycle lane and parking strip."""
    for start, stop in street.gaps(side.sign):
        if side.cycle:
            edges = side.sign * side.traffic, side.sign * side.strip
            fill_ground(stage, street.strip(start, stop, *edges), paving.cycle, ROAD)
        if side.parking:
            edges = side.sign * side.strip, side.sign * side.kerb
            label = PARKING if paving.bays_are_parking else ROAD
            color = paving.bays if paving.bays_are_parking else paving.asphalt
            fill_ground(stage, street.strip(start, stop - 5, *edges), color, label)


def _paint_pavement(
    stage: Stage, street: Street, side: Side, paving: Paving, span: tuple[float, float]
) -> None:
    """Kerb, verge and pavement of a side between two places along."""
    kerb, walk, lot = (side.sign * width for width in (side.kerb, side.walk, side.lot))
    _raise(stage, street, span, kerb, lot, paving, KERB)
    start, stop = span
    stone = np.minimum(np.asarray(paving.pavement) * 1.1 + 6, 235)
    fill_ground(stage, street.strip(start, stop, kerb, lot, KERB), stone, SIDEWALK)
    edge = kerb + side.sign * 0.16
    if side.verge:
        fill_ground(stage, street.strip(start, stop, edge, walk, KERB), paving.grass, TERRAIN)
        edge = walk
    fill_ground(stage, street.strip(start, stop, edge, lot, KERB), paving.pavement, SIDEWALK)


def _raise(
    stage: Stage, street: Street, span: tuple[float, float], inner: float, outer: float,
    paving: Paving, up: float,
) -> None:  # fmt: skip
    """The upright faces of a raised strip: along both edges and at its end towards the camera."""
    start, stop = span
    stone = np.asarray(paving.pavement) * 0.98
    count = int(np.clip((stop - start) / 4, 2, 40))
    for across in (inner, outer):
        s = np.linspace(start, stop, count)
        foot, head = street.to_world(s, across), street.to_world(s, across, up)
        sign = -1.0 if across > stage.camera.position[0] else 1.0
        fill_ground(
            stage, np.concatenate([foot, head[::-1]]), stone, SIDEWALK, np.array([sign, 0, 0])
        )
    corners = street.to_world([start] * 4, [inner, outer, outer, inner], [0, 0, up, up])
    fill_ground(stage, corners, stone, SIDEWALK, np.array([0, 0, -1.0]))


def _paint_tracks(stage: Stage, street: Street) -> None:
    if not street.rails:
        return
    label = RAIL_TRACK if street.reservation == "rails" else ROAD
    up = 0.08 if street.reservation == "rails" else 0.0
    for side in street.sides:
        middle = side.sign * (side.inner / 2 if side.inner else side.lane / 2)
        for rail in (middle - 0.72, middle + 0.72):
            for offset, width, color in ((0.0, 0.14, (62, 60, 58)), (0.02, 0.06, (168, 164, 158))):
                outline = street.strip(
                    1.0, street.length, rail + offset - width / 2, rail + offset + width / 2, up
                )
                fill_ground(stage, outline, color, label)


def _paint_lines(stage: Stage, street: Street, paving: Paving) -> None:
    """Centre line, lane lines and edge lines, outside the junction."""
    for start, stop in _stretches(street):
        if street.reservation == "none" and not street.rails and paving.dashed:
            _paint_dashes(stage, street, paving, (start, stop), 0.0)
        for side in street.sides:
            for lane in range(1, side.lanes):
                _paint_dashes(
                    stage,
                    street,
                    paving,
                    (start, stop),
                    side.sign * (side.inner + lane * side.lane),
                )
            if side.cycle or (side.parking and not paving.bays_are_parking):
                _paint_line(stage, street, paving, (start, stop), side.sign * side.traffic)


def _paint_dashes(
    stage: Stage, street: Street, paving: Paving, span: tuple[float, float], across: float
) -> None:
    dash = paving.dashed or 3.0
    for start in np.arange(max(span[0], 1.0), min(span[1], 75.0), dash * 2.2):
        _paint_line(stage, street, paving, (start, min(start + dash, span[1])), across)


def _paint_line(
    stage: Stage, street: Street, paving: Paving, span: tuple[float, float], across: float
) -> None:
    outline = street.strip(max(span[0], 0.5), min(span[1], 80.0), across - 0.07, across + 0.07)
    fill_ground(stage, outline, paving.marking, ROAD)


def _paint_crossing(stage: Stage, street: Street, paving: Paving) -> None:
    """The bars of a zebra crossing and the stop line before it."""
    if street.zebra is None:
        return
    start, stop = street.zebra, street.zebra + 3.2
    for across in np.arange(-street.left.strip + 0.3, street.right.strip - 0.4, 1.0):
        fill_ground(stage, street.strip(start, stop, across, across + 0.5), paving.marking, ROAD)
    line = street.strip(start - 1.6, start - 1.2, street.right.inner + 0.1, street.right.strip)
    fill_ground(stage, line, paving.marking, ROAD)
