"""Applies settings to an experiment by name, and turns experiments into words of a command."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hierseg.config import Experiment
from hierseg.errors import UsageError, shorten
from hierseg.settings import list_settings, name_flag
from hierseg.size import Size
from hierseg.wording import find_nearest

OWN_SETTINGS = frozenset({"runtime.out", "runtime.resume"})
"""Settings of a run that a sweep chooses."""
SHORT_NAMES = {
    "init": "model.weights",
    "weights": "model.weights",
    "init_trunk": "model.init_trunk",
    "replace_head": "model.replace_head",
}
"""Further names of settings in `hierseg train`."""


def find_setting(name: str) -> str:
    """The full name of a setting that is written as a setting or as a flag.

    Raises:
        UsageError: There is none; the nearest is named.
    """
    known = _list_names()
    asked = name.removeprefix("--").replace("-", "_")
    asked = SHORT_NAMES.get(asked, asked)
    if asked in OWN_SETTINGS:
        raise UsageError(f"'{shorten(name)}' is chosen by the sweep for each run; leave it out.")
    if asked in known:
        return asked
    by_last = [key for key in known if key.split(".")[-1] == asked]
    near = by_last[0] if by_last else find_nearest(asked, known, least=0.0)
    raise UsageError(f"there is no setting '{shorten(name)}'; the nearest is '{near}'.")


@functools.cache
def _list_names() -> tuple[str, ...]:
    return tuple(key for key in list_settings(Experiment().to_dict()) if key != "recipe")


@functools.cache
def _read_hints(part: str) -> dict[str, Any]:
    """The types of the settings of a part of an experiment."""
    return get_type_hints(type(getattr(Experiment(), part)))


def apply_settings(experiment: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """The experiment with settings replaced.

    Args:
        experiment: An experiment, such as a recipe's.
        settings: Full name, such as ``"optim.lr"`` -> value as YAML or a command line gives it.

    Raises:
        UsageError: A setting is unknown, or its value is not valid.
    """
    parts: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        part, _, field = find_setting(name).partition(".")
        hint = _read_hints(part)[field]
        try:
            parts.setdefault(part, {})[field] = convert(value, hint)
        except (ValueError, TypeError, UsageError) as error:
            raise UsageError(f"{name}: {error}") from error
    changed = {
        part: dataclasses.replace(getattr(experiment, part), **fields)
        for part, fields in parts.items()
    }
    return dataclasses.replace(experiment, **changed)


def convert(value: Any, hint: Any) -> Any:
    """A value of a YAML file, or a word, as a field's type; ValueError if it is not valid."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _convert_union(value, get_args(hint))
    if origin is Literal:
        return _choose(value, get_args(hint))
    if origin is tuple:
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(convert(one, get_args(hint)[0]) for one in values)
    if hint is Size:
        return _read_size(value)
    if isinstance(value, list | tuple | Mapping) or value is None:
        raise ValueError(f"{shorten(value)} is no single value.")
    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{shorten(value)} is neither true nor false.")
        return value
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is no value for it.")
    if hint in (int, float):
        return _read_number(value, hint)
    return Path(value) if hint is Path else str(value)


def _convert_union(value: Any, hints: tuple[Any, ...]) -> Any:
    if NoneType in hints and (value is None or value == "none"):
        return None
    kinds = [hint for hint in hints if hint is not NoneType]
    for position, hint in enumerate(kinds):
        try:
            return convert(value, hint)
        except (ValueError, TypeError, UsageError):
            if position == len(kinds) - 1:
                raise
    raise ValueError(f"{shorten(value)} is no value for it.")


def _choose(value: Any, choices: tuple[Any, ...]) -> Any:
    if value is False and "off" in choices:
        return "off"
    if value in choices and not isinstance(value, bool):
        return value
    raise ValueError(f"'{shorten(value)}' is none of {', '.join(map(str, choices))}.")


def _read_size(value: Any) -> Size:
    if isinstance(value, Size):
        return value
    if isinstance(value, list | tuple) and len(value) == 2:
        return Size(int(value[0]), int(value[1]))
    return Size.parse(str(value))


def _read_number(value: Any, hint: type[int] | type[float]) -> int | float:
    try:
        number = float(value)  # YAML takes 1e-3 for text
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{shorten(value)}' is no number.") from error
    if hint is float:
        return number
    if not math.isfinite(number) or number != int(number):
        raise ValueError(f"{value} is no whole number.")
    return int(number)


def list_changes(
    base: Experiment, experiment: Experiment, also: Collection[str] = ()
) -> dict[str, Any]:
    """The settings in which an experiment differs from its base: full name -> value. ``also`` names
    further settings to include, unless they are None.
    """
    changes: dict[str, Any] = {}
    for part in dataclasses.fields(experiment):
        if part.name == "recipe":
            continue
        old, new = getattr(base, part.name), getattr(experiment, part.name)
        for field in dataclasses.fields(new):
            value, name = getattr(new, field.name), f"{part.name}.{field.name}"
            if value != getattr(old, field.name) or (name in also and value is not None):
                changes[name] = value
    return changes


def can_be_said(changes: Mapping[str, Any]) -> bool:
    """Whether a command line can make all changes; it cannot unset what a recipe sets."""
    return None not in changes.values()


def make_words(changes: Mapping[str, Any]) -> list[str]:
    """The words of a command that make these changes.

    Raises:
        UsageError: A setting would have to be unset that the recipe sets.
    """
    words: list[str] = []
    for name, value in changes.items():
        flag = name_flag(name)
        if value is None:
            raise UsageError(
                f"'{name}' cannot be unset, as the recipe sets it; take another recipe, or give a "
                "value."
            )
        if isinstance(value, bool):
            part, _, field = flag.rpartition(".")
            words.append(flag if value else f"{part}.no-{field}")
        elif isinstance(value, tuple) and not isinstance(value, Size):
            words += [flag, *map(show_value, value)]
        else:
            words += [flag, show_value(value)]
    return words


def show_value(value: Any) -> str:
    """A value in the form of the command line: ``0.001``, ``512x1024``."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
