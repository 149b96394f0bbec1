"""Classes in a user's description of data: names, colours, and what they are in the label maps."""

from __future__ import annotations

from typing import Any

from hierseg.data.described.keys import check_keys
from hierseg.data.described.label_space_file import make_color
from hierseg.data.label_numbers import Palette
from hierseg.errors import UserError, shorten
from hierseg.labels import IGNORE, Color, LabelSpace

CLASS_KEYS = ("name", "color", "id", "ids")
HIGHEST_ID = 65535
SHOWN = 40
"""Characters of a wrong value that an error shows."""


def read_classes(
    given: dict[str, Any], name: str, where: str
) -> tuple[LabelSpace, dict[Color, int] | None]:
    """The label space of a description, and train ids by colour if label maps hold colours.

    Args:
        given: The whole description; ``classes``, ``ignore`` and ``encoding`` are used.
        name: Name of the space.
        where: The file, for errors.

    Raises:
        UserError: A class is wrong; the message names the file, the class, and what is wrong.
    """
    entries = given.get("classes")
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{where} has no classes; list them, as classes: [{{name: road}}, ...].")
    if len(entries) > IGNORE:
        raise UserError(f"{where} has {len(entries)} classes; at most {IGNORE} are allowed.")
    encoding = given.get("encoding", "ids")
    if encoding not in ("ids", "colors"):
        raise UserError(f"{where}: encoding must be ids or colors, which label maps hold.")
    names, colors, ids = zip(
        *(_read_class(entry, i, len(entries), where) for i, entry in enumerate(entries)),
        strict=True,
    )
    # The usual id to ignore, unless a class has it.
    is_free = encoding == "ids" and not any(IGNORE in own for own in ids)
    ignored = given.get("ignore", [IGNORE] if is_free else [])
    if not isinstance(ignored, list):
        raise UserError(f"{where}: ignore must be a list, of ids or of colours.")
    by_color = None
    if encoding == "colors":
        by_color = _by_color(names, colors, [_color(c, f"{where}: ignore") for c in ignored], where)
        ignored = []
    ignored_ids = list(dict.fromkeys(_id(value, f"{where}: ignore") for value in ignored))
    _require_single(names, ids, ignored_ids, where)
    space = LabelSpace(
        name=name,
        names=names,
        colors=colors,
        raw_ids=tuple(own[0] for own in ids),
        ignored_raw_ids=tuple(ignored_ids),
        merged_raw_ids={raw: train for train, own in enumerate(ids) for raw in own[1:]},
        void_raw_id=_void_id(ignored_ids, ids),
    )
    return space, by_color


def read_palette(given: dict[str, Any], where: str) -> Palette | None:
    """What label maps with a palette of greys hold; None where the description does not say."""
    palette = given.get("palette")
    if palette is None:
        return None
    if given.get("encoding", "ids") == "colors":
        raise UserError(f"{where}: palette is for label maps that hold ids; remove it.")
    if palette == "indices":
        return "indices"
    if palette == "values":
        return "values"
    raise UserError(
        f"{where}: palette must be indices or values: what ids are in label maps with a palette of "
        "greys."
    )


def _read_class(
    entry: Any, index: int, count: int, where: str
) -> tuple[str, Color, tuple[int, ...]]:
    """Name, colour and raw ids of a class, which may be given by its name alone."""
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise UserError(f"{where}: class {index + 1} has no name; write name: and a text.")
    place = f"{where}: class {shorten(entry['name'])}"
    check_keys(entry, CLASS_KEYS, place)
    color = _color(entry["color"], place) if "color" in entry else make_color(index, count)
    if "id" in entry and "ids" in entry:
        raise UserError(f"{place} has id and ids; give one of them.")
    ids = entry.get("ids", [entry.get("id", index)])
    if not isinstance(ids, list) or not ids:
        raise UserError(f"{place}: ids must be a list of the ids that count as the class.")
    return entry["name"], color, tuple(_id(raw, place) for raw in ids)


def _color(value: Any, place: str) -> Color:
    is_color = (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(part, int) and not isinstance(part, bool) for part in value)
        and all(0 <= part <= 255 for part in value)
    )
    if not is_color:
        raise UserError(f"{place}: a colour is [red, green, blue], each from 0 to 255.")
    return value[0], value[1], value[2]


def _id(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= HIGHEST_ID:
        raise UserError(f"{place}: an id is an integer from 0 to {HIGHEST_ID}, not {_show(value)}.")
    return int(value)


def _show(value: Any) -> str:
    """A value of a file, cut short; its kind alone where it is no single one, or too long."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHOWN:
        return "a number of that many digits"  # Python refuses to write it out
    if value is None or isinstance(value, bool | int | float | str):
        return f"{value!r:.{SHOWN}}"
    return "a list" if isinstance(value, list) else "a table"


def _require_single(
    names: tuple[str, ...], ids: tuple[tuple[int, ...], ...], ignored: list[int], where: str
) -> None:
    owner: dict[int, str] = dict.fromkeys(ignored, "ignore")
    for name, own in zip(names, ids, strict=True):
        for raw in own:
            if raw in owner:
                other = owner[raw]
                raise UserError(
                    f"{where}: classes {other} and {name} have the same id {raw}; keep it for one."
                )
            owner[raw] = name
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{where}: two classes are called {double}; give each a name of its own.")


def _by_color(
    names: tuple[str, ...], colors: tuple[Color, ...], ignored: list[Color], where: str
) -> dict[Color, int]:
    table: dict[Color, int] = dict.fromkeys(ignored, IGNORE)
    for train, color in enumerate(colors):
        if color in table:
            other = "ignore" if table[color] == IGNORE else names[table[color]]
            raise UserError(
                f"{where}: classes {other} and {names[train]} have the same colour {list(color)}; "
                "give each its own, as label maps hold colours."
            )
        table[color] = train
    return table


def _void_id(ignored: list[int], ids: tuple[tuple[int, ...], ...]) -> int:
    """The id that ignored pixels are written back with: one that no class has."""
    if ignored:
        return ignored[-1]
    taken = {raw for own in ids for raw in own}
    free: list[int] = [raw for raw in (IGNORE, *range(len(taken) + 1)) if raw not in taken]
    return free[0]
