"""The command line: what is parsed, and what a failure looks like.

A command is a function of `hierseg.commands` that is imported when it is called for; its typed
arguments are its flags and its docstring is its help. No torch until a command needs it.
"""

from __future__ import annotations

import dataclasses
import difflib
import errno
import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    get_args,
    get_origin,
    get_type_hints,
)

import hierseg
from hierseg.commands.table import COMMANDS, OF_RECIPES
from hierseg.errors import UsageError, UserError
from hierseg.processes import only_first_speaks

if TYPE_CHECKING:
    from tyro.constructors import PrimitiveConstructorSpec

    from hierseg.config import Experiment

# Flags of training that are worth a short name beside the one of their group.
SHORT_FLAGS = {f"--{flag}": f"--model.{flag}" for flag in ("init-trunk", "weights", "replace-head")}
SHORT_FLAGS["--init"] = SHORT_FLAGS["--weights"]
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_CURES = {
    errno.EACCES: "permission denied; choose a place that you may read and write",
    errno.EPERM: "permission denied; choose a place that you may read and write",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOSPC: "no space is left on the disk; free some, or choose another place",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another place",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "this is a folder where a file is needed; check the path",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``hierseg ARGUMENTS`` (those of the process by default) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name that no encoding knows is still printed
            stream.reconfigure(errors="backslashreplace")
    try:
        # The processes of a training are one run; of another command each has a task of its own.
        with only_first_speaks() if words[:1] == ["train"] else nullcontext():
            status = _run(words)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _complain(str(error), error.exit_status)
    except KeyboardInterrupt as error:
        return _complain(str(error) or "interrupted.", INTERRUPTED)
    except BrokenPipeError:
        # The interpreter flushes standard output once more when it ends, and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _complain("whatever read the output has closed it.", 1)
    except OSError as error:
        if error.errno is None:
            raise
        return _complain(_sentence(error), 1)


def _complain(sentence: str, status: int) -> int:
    if sentence:  # else another process of the run has said it
        print(f"hierseg: {sentence}", file=sys.stderr)
    return status


def _sentence(error: OSError) -> str:
    """What the operating system refused, the file first."""
    reason = _CURES.get(error.errno or 0, (error.strerror or "failed").lower())
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"hierseg {hierseg.__version__}")
        return 0
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        is_flag = name.startswith("-")
        near = [] if is_flag else difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'?" if near else "`hierseg --help` lists them."
        kind = "flag" if is_flag else "command"
        raise UsageError(f"there is no {kind} '{name}'; {hint}")
    if name in OF_RECIPES:
        return int(_run_recipe(name, rest) or 0)
    status = _parse(COMMANDS[name].load(), name, rest)
    return int(status or 0)


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: hierseg COMMAND [ARGUMENTS]",
            "",
            "Semantic segmentation of street scenes by hierarchical multi-scale attention.",
            "",
            "commands:",
            *lines,
            "",
            "`hierseg COMMAND --help` shows its arguments, `hierseg --version` the version.",
        ]
    )


def _parse(function: Callable[..., Any], name: str, words: list[str], about: str = "") -> Any:
    """Call a function, or make a dataclass, with the arguments that the words give; tyro exits 2
    where they are wrong and 0 after ``--help``.
    """
    import tyro

    conf = tyro.conf
    markers = [conf.DisallowNone, conf.HelptextFromCommentsOff]
    if not dataclasses.is_dataclass(function):
        function = _present(function)
        markers += [conf.FlagCreatePairsOff, conf.PositionalMetavarFromFieldName]
    return tyro.cli(
        function,
        prog=f"hierseg {name}",
        description=about or None,
        args=words,
        config=markers,
        registry=_registry(),
    )


def _present(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command's function as its help is to show it: paragraphs whole, and no default where None
    stands for what the text says.
    """
    import tyro

    def call(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    hints = get_type_hints(function)
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        flag = parameter.name.rstrip("_")  # from_ is --from, a word that Python keeps for itself
        if dataclasses.is_dataclass(hint):  # flags that several belong to, not a group of theirs
            hint = Annotated[hint, tyro.conf.arg(name="")]
        elif parameter.default is None:
            words = _literal_words(hint)
            metavar = f"{{{','.join(words)}}} ..." if words else None
            marker = tyro.conf.arg(name=flag, metavar=metavar, help_behavior_hint="")
            hint = Annotated[hint, marker]
        elif parameter.kind is parameter.POSITIONAL_ONLY and get_origin(hint) is tuple:
            metavar = f"{parameter.name.removesuffix('s').upper()} ..."
            hint = Annotated[
                hint, tyro.conf.arg(metavar=metavar, help_behavior_hint="(one or more)")
            ]
        parameters.append(parameter.replace(annotation=hint))
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    # A line that is indented further than the name of an argument goes on with its text.
    call.__doc__ = re.sub(r"(?<=\S)\n {8,}", " ", inspect.getdoc(function) or "")
    return call


def _literal_words(hint: Any) -> tuple[str, ...]:
    """The words of ``tuple[Literal[...], ...] | None``, of which tyro would print three brackets;
    none for other hints.
    """
    for part in get_args(hint):
        if get_origin(part) is tuple and get_origin(get_args(part)[0]) is Literal:
            return get_args(get_args(part)[0])
    return ()


def _registry() -> Any:
    """What tyro is told about hierseg's own types: a size is one word, HEIGHTxWIDTH."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    from hierseg.size import Size

    def read_size(words: list[str]) -> Size:
        try:
            return Size.parse(words[0])
        except UsageError as error:
            raise ValueError(str(error)) from error

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def size_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Size] | None:
        if info.type not in (Size, Size | None):
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="HEIGHTxWIDTH",
            instance_from_str=read_size,
            is_instance=lambda value: value is None or isinstance(value, Size),
            str_from_instance=lambda size: [] if size is None else [str(size)],
        )

    @registry.primitive_rule
    def series_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        for series, convert, show in (
            (tuple[float, ...], float, "{:g}"),
            (tuple[str, ...], str, "{}"),
        ):
            if info.type in (series, series | None):
                return _describe_series(convert, show)
        return None

    return registry


def _describe_series(
    convert: Callable[[str], Any], show: str
) -> PrimitiveConstructorSpec[tuple[Any, ...]]:
    """Any number of words, of which tyro by itself would print nested brackets."""
    from tyro.constructors import PrimitiveConstructorSpec

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"{convert.__name__.upper()} ...",
        instance_from_str=lambda words: tuple(convert(word) for word in words),
        is_instance=lambda value: value is None or isinstance(value, tuple),
        str_from_instance=lambda values: (
            ["none"] if values is None else [show.format(value) for value in values]
        ),
    )


def _run_recipe(command: str, words: list[str]) -> Any:
    """``hierseg train RECIPE [--data.root ...]``: the recipe's values are the flags' defaults."""
    from hierseg.recipes import RECIPES, get_recipe

    if not words or words[0].startswith("-"):
        usage = f"hierseg {command} RECIPE [FLAGS], where RECIPE is one of {', '.join(RECIPES)}"
        if "-h" in words or "--help" in words:
            shows = f"`hierseg {command} RECIPE --help` shows its flags and values."
            print(f"usage: {usage}\n\n{shows}")
            return 0
        raise UsageError(f"name the recipe first: {usage}.")
    name = words[0]
    rest = [
        SHORT_FLAGS.get(flag, flag) + sep + value
        for flag, sep, value in (word.partition("=") for word in words[1:])
    ]
    experiment = get_recipe(name)
    function = COMMANDS[command].load()
    own, flags = _list_flags(function, experiment)
    about = inspect.getdoc(RECIPES[name] if command == "train" else function) or ""
    chosen = _parse(flags, f"{command} {name}", rest, about=about)
    parts = [field.name for field in dataclasses.fields(flags) if field.name not in own]
    changes = {part: getattr(chosen, part) for part in parts}
    given = {part: getattr(chosen, part) for part in own}
    return function(dataclasses.replace(experiment, **changes), **given)


def _list_flags(function: Callable[..., Any], experiment: Experiment) -> tuple[list[str], Any]:
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
