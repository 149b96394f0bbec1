"""`hierseg train RECIPE`, and its like: the recipe's values are the flags' defaults."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from hierseg.cli.flags import Shown, parse
from hierseg.cli.names import HELP, list_flags
from hierseg.commands.table import COMMANDS, OTHER_TRAININGS
from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.config import Experiment

# Flags of training that are worth a short name beside the one of their group.
SHORT_FLAGS = {
    f"--{flag}": f"--model.{flag}"
    for flag in ("init-trunk", "weights", "replace-head", "skip-mismatched")
}
SHORT_FLAGS["--init"] = SHORT_FLAGS["--weights"]
SHORT_FLAGS |= {
    "--data": "--data.name",
    "--distill": "--distill.teacher",
    "--root": "--data.root",
    "--batch": "--data.batch",
    "--epochs": "--optim.epochs",
    "--lr": "--optim.lr",
    "--out": "--runtime.out",
    "-o": "--runtime.out",
    "--device": "--runtime.device",
    "--seed": "--runtime.seed",
}
_SHORT = (
    f"Short forms: {', '.join(f'{short} for {long}' for short, long in SHORT_FLAGS.items())}; "
    "a flag that the command has itself means that."
)


def run_recipe(command: str, words: list[str]) -> Any:
    """Run a command of a recipe, which the first word names."""
    from hierseg.recipes import RECIPES, get_recipe

    others = OTHER_TRAININGS if command == "train" else {}
    if not words or words[0].startswith("-"):
        names = ", ".join((*RECIPES, *others))
        usage = f"hierseg {command} RECIPE [FLAGS], where RECIPE is one of {names}"
        if set(HELP) & set(words):
            example = COMMANDS[command].example.format(recipe="streetlite")
            shows = f"`hierseg {command} RECIPE --help` shows its flags and values."
            print(f"usage: {usage}\n\nExample: {example}\n\n{shows}\n{_SHORT}")
            return 0
        raise UsageError(f"name the recipe first: {usage}.")
    name = words[0]
    if name in others:
        return _run_training(name, words[1:])
    experiment = get_recipe(name)
    function = COMMANDS[command].load()
    own, flags = _make_flags(function, experiment)
    about = inspect.getdoc(RECIPES[name] if command == "train" else function) or ""
    about = re.sub(r"\n(?=[A-Z]\w*(?: \w+)?: )", "\n\n", about)  # Time: ... is a paragraph
    described = COMMANDS[command]
    shown = Shown(
        f"{command} {name}",
        described.example.format(recipe=name),
        described.flags,
        about,
        _find_aliases(function, own),
    )
    chosen = parse(flags, shown, words[1:])
    parts = [field.name for field in dataclasses.fields(flags) if field.name not in own]
    changes = {part: getattr(chosen, part) for part in parts}
    given = {part: getattr(chosen, part) for part in own}
    return function(dataclasses.replace(experiment, **changes), **given)


def _run_training(name: str, words: list[str]) -> Any:
    """`hierseg train NAME` of what is no recipe: its flags are the fields of a dataclass."""
    described = OTHER_TRAININGS[name]
    function = described.load()
    kind = get_type_hints(function)[next(iter(inspect.signature(function).parameters))]
    hints = get_type_hints(kind)
    known = {
        f"--{part}.{field.name.replace('_', '-')}"
        for part, hint in hints.items()
        for field in dataclasses.fields(hint)
    }
    aliases: dict[str, tuple[str, ...]] = {}
    for short, full in SHORT_FLAGS.items():
        if full in known:
            aliases[full] = (*aliases.get(full, ()), short)
    about = inspect.getdoc(kind) or ""
    shown = Shown(f"train {name}", described.example, described.flags, about, aliases)
    return function(parse(kind, shown, words))


def list_recipe_flags(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Every word by which a flag of a recipe's command can be given, and its type."""
    from hierseg.config import Experiment

    own, flags = _make_flags(function, Experiment())
    return list_flags(flags, _find_aliases(function, own))


def _find_aliases(function: Callable[..., Any], own: list[str]) -> dict[str, tuple[str, ...]]:
    """The short names that a command takes: not those of flags that it has itself."""
    hints = get_type_hints(function)
    parts = [hints[name] for name in own if dataclasses.is_dataclass(hints[name])]
    taken = {field.name for part in parts for field in dataclasses.fields(part)} | {*own}
    flags = {f"--{name.replace('_', '-')}" for name in taken}
    aliases: dict[str, tuple[str, ...]] = {"--out": ("-o",)} if "--out" in flags else {}
    for short, full in SHORT_FLAGS.items():
        if short not in flags and not (short == "-o" and aliases.get("--out")):
            aliases[full] = (*aliases.get(full, ()), short)
    return aliases


def _make_flags(function: Callable[..., Any], experiment: Experiment) -> tuple[list[str], Any]:
    """The names of the function's own flags, and a dataclass of these and the experiment's."""
    import tyro

    hints = get_type_hints(function)
    own = [name for name in list(inspect.signature(function).parameters)[1:] if name in hints]
    plain = tyro.conf.arg(name="")  # --out, not --flags.out
    fields: list[Any] = [(name, Annotated[hints[name], plain]) for name in own]
    hints = get_type_hints(type(experiment))
    # Every part of the experiment is a group of flags; the recipe's name is none.
    fields += [
        (part.name, hints[part.name], dataclasses.field(default=getattr(experiment, part.name)))
        for part in dataclasses.fields(experiment)
        if part.name != "recipe"
    ]
    return own, dataclasses.make_dataclass("Flags", fields, frozen=True)
