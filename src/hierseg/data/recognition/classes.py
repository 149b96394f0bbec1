"""Classes from what label maps hold and what files name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hierseg.data.described.label_space_file import make_color
from hierseg.data.recognition.names import VOC_BORDER, Names, make_single, name_color
from hierseg.data.recognition.survey import Survey, unpack
from hierseg.errors import UserError
from hierseg.labels import IGNORE, Color

SMALL_IDS = 64
"""If all other ids are below this, 255 is taken for ignore and not for a class."""


@dataclass(frozen=True)
class FoundClass:
    """A class of the data.

    Attributes:
        name: Its name.
        value: Its id in label maps; if they hold colours, its packed RGB value.
        color: RGB.
        share: Share of the pixels that count, in [0, 1].
        images: Label maps with it.
    """

    name: str
    value: int
    color: Color
    share: float
    images: int


def find_classes(
    survey: Survey, names: Names
) -> tuple[tuple[FoundClass, ...], tuple[int, ...] | tuple[Color, ...]]:
    """The classes, in the order of their ids or of the file that names them, and the ids or colours
    that do not count.
    """
    values = sorted(survey.pixels)
    if survey.encoding == "colors":
        border = {v for v in values if unpack(v) == VOC_BORDER and VOC_BORDER not in names.by_color}
        listed = {color: place for place, color in enumerate(names.by_color)}
        kept = sorted(
            (v for v in values if v not in border),
            key=lambda v: (listed.get(unpack(v), len(listed)), v),
        )
        called = make_single([_name_color_class(unpack(v), names) for v in kept])
        colors: tuple[Color, ...] = tuple(map(unpack, sorted(border)))
        return _list_classes(survey, kept, called, list(map(unpack, kept))), colors
    others = [v for v in values if v != IGNORE]
    is_void = IGNORE in values and len(others) > 1 and max(others) < SMALL_IDS
    ignored = names.ignored | ({IGNORE} if is_void and IGNORE not in names.by_id else frozenset())
    kept = [v for v in values if v not in ignored]
    called = make_single([_name_id(v, values, names) for v in kept])
    made = [survey.colors.get(v, make_color(place, len(kept))) for place, v in enumerate(kept)]
    made = (
        made
        if len(set(made)) == len(made)
        else [make_color(n, len(kept)) for n in range(len(kept))]
    )
    if not survey.colors and kept and called[0] == "background":
        made[0] = (0, 0, 0)
    return _list_classes(survey, kept, called, made), tuple(
        sorted(ignored & set(values) or ignored)
    )


def _list_classes(
    survey: Survey, values: Sequence[int], names: Sequence[str], colors: Sequence[Color]
) -> tuple[FoundClass, ...]:
    total = sum(survey.pixels[value] for value in values) or 1
    images = Counter(value for own in survey.present.values() for value in own)
    return tuple(
        FoundClass(name, value, color, survey.pixels[value] / total, images[value])
        for value, name, color in zip(values, names, colors, strict=True)
    )


def _name_id(value: int, values: Sequence[int], names: Names) -> str:
    if value in names.by_id:
        return names.by_id[value]
    if not names.by_id and list(values) in ([0, 255], [0, 1]):
        return "foreground" if value else "background"
    return "background" if value == 0 and not names.by_id else f"class {value}"


def _name_color_class(color: Color, names: Names) -> str:
    if color in names.by_color:
        return names.by_color[color]
    if color == (0, 0, 0):
        return "background"
    red, green, blue = color
    if red == green == blue and red < SMALL_IDS:  # ids in three equal channels
        return names.by_id.get(red, f"class {red}")
    return name_color(color)


def require_classes(root: Path, classes: Sequence[FoundClass], survey: Survey) -> None:
    """UserError for fewer than two classes, or more than label maps can hold."""
    if len(classes) < 2:
        what = f"one class ('{classes[0].name}')" if classes else "no class"
        raise UserError(
            f"the masks of '{root}' hold {what} in all their pixels, but at least two are needed; "
            "give what you look for an id or colour of its own, and the rest another."
        )
    if len(classes) > IGNORE:
        kind = "ids" if survey.encoding == "ids" else "colours"
        raise UserError(
            f"the masks of '{root}' hold {len(classes):,} {kind}, and at most {IGNORE} may be "
            "classes; check that they are label maps, with one id or colour for each class."
        )
