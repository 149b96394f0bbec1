"""The flags that a command takes, by their names: to refuse others, and to complete them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hierseg.errors import UsageError, shorten
from hierseg.settings import name_flags
from hierseg.wording import find_nearest

ALIASES = {"--out": ("-o",), "--dry-run": ("-n",)}
"""Further names of flags, wherever a command has them."""
HELP = ("-h", "--help", "--help-all")
QUIET, VERBOSE = ("-q", "--quiet"), ("-v", "--verbose")
OF_ALL = (*HELP, *QUIET, *VERBOSE)
"""Flags that every command takes."""


def list_flags(target: Callable[..., Any], aliases: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Every word by which a flag can be given, and the type of its value.

    Args:
        target: A command's function, or a dataclass of flags.
        aliases: Further names of a flag.
    """
    found: dict[str, Any] = {}
    for flag, hint in _find_flags(target).items():
        words = [flag, *aliases.get(flag, ())]
        if hint is bool and dataclasses.is_dataclass(target):
            words += [_negate(word) for word in words if word.startswith("--")]
        found |= dict.fromkeys(words, hint)
    return found


def count_flags(target: Callable[..., Any]) -> int:
    """How many flags there are, whatever names each has."""
    return len(_find_flags(target))


def _find_flags(target: Callable[..., Any]) -> dict[str, Any]:
    found = dict(_iterate(target))
    flags = name_flags(found)
    return {flags[name]: hint for name, hint in found.items()}


def _iterate(target: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Names, as Python has them, and types."""
    hints = get_type_hints(target, include_extras=True)
    if dataclasses.is_dataclass(target):
        for field in dataclasses.fields(target):
            hint, is_group = hints[field.name], True
            if get_origin(hint) is Annotated:  # a part without a name of its own
                hint, is_group = get_args(hint)[0], False
            prefix = f"{field.name}." if is_group else ""
            yield from _iterate_value(hint, field.name, prefix)
        return
    for parameter in inspect.signature(target).parameters.values():
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            yield from _iterate_value(hints[parameter.name], parameter.name, "")


def _iterate_value(hint: Any, name: str, prefix: str) -> Iterator[tuple[str, Any]]:
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        yield name, hint
        return
    hints = get_type_hints(hint)
    for field in dataclasses.fields(hint):
        yield prefix + field.name, hints[field.name]


def _negate(flag: str) -> str:
    group, _, name = flag.removeprefix("--").rpartition(".")
    return f"--{group}.no-{name}" if group else f"--no-{name}"


def require_known(words: Sequence[str], flags: Mapping[str, Any], command: str) -> None:
    """UsageError for a flag that the command has not; the nearest is named."""
    known = [*flags, *OF_ALL]
    for word in words:
        if word == "--":
            return
        flag = word.partition("=")[0]
        if not _is_flag(flag) or flag in known or flag.replace("_", "-") in known:
            continue
        last = flag.lstrip("-").replace("_", "-")
        same = [one for one in known if one.rpartition(".")[2] == last and len(last) > 1]
        near = same[0] if same else find_nearest(flag, known)
        hint = f"did you mean '{near}'?" if near else f"`hierseg {command} --help-all` lists them."
        raise UsageError(f"`hierseg {command}` has no flag '{shorten(flag)}'; {hint}")


def _is_flag(word: str) -> bool:
    """Whether it is no value, as -1 and - are."""
    return word.startswith("-") and word.lstrip("-")[:1].isalpha()
