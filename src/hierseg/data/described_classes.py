"""Classes in a user's description of data: names, colours, and what they are in the label maps."""

from __future__ import annotations

from typing import Any

from hierseg.data.keys import check_keys
from hierseg.data.label_space_file import make_color
from hierseg.errors import UserError, shorten
from hierseg.labels import IGNORE, Color, LabelSpace

CLASS_KEYS = ("name", "color", "id", "ids")
HIGHEST_ID = 65535


def read_classes(
    given: dict[str, Any], name: str, where: str
) -> tuple[LabelSpace, dict[Color, int] | None]:
    """The label space of a description, and train ids by colour where label maps hold colours.

    Args:
        given: The whole description, of which ``classes``, ``ignore`` and ``encoding`` count.
        name: What the space is called.
        where: The file, for errors.

    Raises:
        UserError: Naming the file, the class, and what cannot be.
    """
    entries = given.get("classes")
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{where} has no classes; list them, as classes: [{{name: road}}, ...].")
    if len(entries) > IGNORE:
        raise UserError(f"{where} has {len(entries)} classes; at most {IGNORE} can be.")
    encoding = given.get("encoding", "ids")
    if encoding not in ("ids", "colors"):
        raise UserError(f"{where}: encoding is ids or colors, for what label maps hold.")
    names, colors, ids = zip(
        *(_read_class(entry, i, len(entries), where) for i, entry in enumerate(entries)),
        strict=True,
    )
    ignored = given.get("ignore", [IGNORE] if encoding == "ids" else [])
    if not isinstance(ignored, list):
        raise UserError(f"{where}: ignore is a list, of ids or of colours.")
    by_color = None
    if encoding == "colors":
        by_color = _by_color(names, colors, [_color(c, f"{where}: ignore") for c in ignored], where)
        ignored = []
    ignored_ids = [_id(value, f"{where}: ignore") for value in ignored]
    _require_single(names, ids, ignored_ids, where)
    space = LabelSpace(
        name=name,
        names=names,
        colors=colors,
        raw_ids=tuple(own[0] for own in ids),
        ignored_raw_ids=tuple(dict.fromkeys(ignored_ids)),
        merged_raw_ids={raw: train for train, own in enumerate(ids) for raw in own[1:]},
        void_raw_id=_void_id(ignored_ids, ids),
    )
    return space, by_color


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
        raise UserError(f"{place}: ids is a list of the ids that count as the class.")
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
        raise UserError(f"{place}: an id is an integer from 0 to {HIGHEST_ID}, not {value!r:.40}.")
    return int(value)


def _require_single(
    names: tuple[str, ...], ids: tuple[tuple[int, ...], ...], ignored: list[int], where: str
) -> None:
    owner: dict[int, str] = {}
    for name, own in zip(names, ids, strict=True):
        for raw in own:
            if raw in owner or raw in ignored:
                other = owner.get(raw, "ignore")
                raise UserError(f"{where}: classes {other} and {name} have the same id {raw}.")
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
                f"{where}: classes {other} and {names[train]} have the same colour {list(color)}, "
                "and label maps hold colours."
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
