"""What may stand at a place of a command line, for the shell that asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hierseg.cli.constructors import list_choices
from hierseg.cli.names import ALIASES, HELP, OF_ALL, list_flags
from hierseg.cli.recipe_flags import list_recipe_flags
from hierseg.commands.table import COMMANDS, OF_RECIPES


def complete(place: int, words: Sequence[str]) -> list[str]:
    """The words that may stand at a place; none where a file's name may.

    Args:
        place: Which of the words is being typed; 0 is the program.
        words: Those of the command line so far.
    """
    given = [*words[:place], ""][1:place]  # between the program and what is being typed
    begun = words[place] if place < len(words) else ""
    return sorted(word for word in _offer(given, begun) if word.startswith(begun))


def _offer(given: list[str], begun: str) -> Iterable[str]:
    if given[:1] == ["help"]:
        given = given[1:]
    if not given:
        return [*COMMANDS, "help", *(() if not begun.startswith("-") else (*HELP, "--version"))]
    name, *rest = given
    if name not in COMMANDS:
        return ()
    if name in OF_RECIPES and not rest and not begun.startswith("-"):
        from hierseg.recipes import RECIPES

        return RECIPES
    flags = _find_flags(name, rest)
    if begun.startswith("-"):
        return [*flags, *OF_ALL]
    return _list_values(name, rest, flags)


def _find_flags(name: str, rest: Sequence[str]) -> Mapping[str, Any]:
    function = COMMANDS[name].load()
    return list_recipe_flags(function) if name in OF_RECIPES else list_flags(function, ALIASES)


def _list_values(name: str, rest: Sequence[str], flags: Mapping[str, Any]) -> Iterable[str]:
    """Values of the flag that came last; or the command's own words."""
    place = max((at for at, word in enumerate(rest) if word in flags), default=-1)
    if place < 0:
        return _list_words(name) if not rest else ()
    flag, hint = rest[place], flags[rest[place]]
    choices, is_series = list_choices(hint)
    if hint is bool or (place < len(rest) - 1 and not is_series):
        return ()
    if flag in ("--weights", "--init", "--model.weights"):
        from hierseg.checkpoint import packaged_weights

        return packaged_weights()
    if flag in ("--data", "--data.name"):
        return _list_datasets()
    if flag == "--device":
        return ("auto", "cpu", "cuda")
    if flag in ("--model.name", "--model"):
        return _list_networks()
    return choices


def _list_words(name: str) -> Iterable[str]:
    if name == "completion":
        return ("bash", "zsh", "fish")
    if name == "check":
        return _list_datasets()
    return _list_networks() if name == "models" else ()


def _list_datasets() -> Iterable[str]:
    from hierseg.data import available_datasets

    return available_datasets()


def _list_networks() -> Iterable[str]:
    from hierseg.models import MODELS

    return MODELS
