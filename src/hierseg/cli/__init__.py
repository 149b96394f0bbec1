"""The command line: what is parsed, and what a failure looks like.

A command is a function of `hierseg.commands` that is imported when it is called for; its typed
arguments are its flags and its docstring is its help. No torch until a command needs it.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import hierseg
from hierseg.assets import expand_word
from hierseg.cli.ending import Termination, plain_warnings
from hierseg.cli.flags import parse
from hierseg.cli.pipes import CLOSED, forget_output, is_closed
from hierseg.commands.table import COMMANDS, GROUPS, OF_RECIPES, TOGETHER
from hierseg.errors import (
    NO_MEMORY,
    UsageError,
    UserError,
    flags_shown,
    lacks_memory,
    make_printable,
    reason_of,
)
from hierseg.processes import Launch, only_first_speaks

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
OUT = {"-o": "--out"}  # of `hierseg finetune` and `hierseg describe`
DRY_RUN = {"-n": "--dry-run"}  # of `hierseg sweep`, as make has it
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``hierseg ARGUMENTS`` (those of the process by default) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name that no encoding knows is still printed
            stream.reconfigure(errors="backslashreplace")
    try:
        with flags_shown():
            try:
                status = _attempt(words)
            finally:  # also where the parser leaves by itself, as after its help
                sys.stdout.flush()
        return status
    except BrokenPipeError as error:
        if not (is_closed(sys.stdout) or is_closed(sys.stderr)):  # then it is another pipe
            return _complain(_sentence(error), 1)
        forget_output()
        return CLOSED


def _attempt(words: list[str]) -> int:
    """Run the words; what fails ends in a sentence and its status."""
    # The processes of these are one run; of another command each has a task of its own.
    is_training = words[:1] == ["train"]
    by_torchrun = words[:1] != [] and words[0] in TOGETHER and Launch.find().by == "torchrun"
    speaking = only_first_speaks() if is_training or by_torchrun else nullcontext()
    ending = Termination(not is_training)
    try:
        with ending, plain_warnings(), speaking:
            return _run(words)
    except UserError as error:
        return _complain(str(error), error.exit_status)
    except KeyboardInterrupt as error:
        return _complain(str(error) or "interrupted.", TERMINATED if ending.came else INTERRUPTED)
    except BrokenPipeError:
        raise
    except (MemoryError, RuntimeError, ImportError) as error:
        if not lacks_memory(error):
            raise
        return _complain(NO_MEMORY, 1)
    except OSError as error:
        if error.errno is None:
            raise
        return _complain(_sentence(error), 1)


def _complain(sentence: str, status: int) -> int:
    if sentence:  # else another process of the run has said it
        print(f"hierseg: {make_printable(sentence)}", file=sys.stderr)
    return status


def _sentence(error: OSError) -> str:
    """What the operating system refused, the file first."""
    reason = reason_of(error)
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."


def _run(words: list[str]) -> int:
    if words[:1] == ["help"] and len(words) > 1:  # `hierseg help predict` is `predict --help`
        words = [*words[1:], *([] if {"-h", "--help"} & set(words) else ["--help"])]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"hierseg {hierseg.__version__}")
        return 0
    name, rest = words[0], [expand_word(word) for word in words[1:]]
    if name not in COMMANDS:
        is_flag = name.startswith("-")
        near = [] if is_flag else difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'?" if near else "`hierseg --help` lists them."
        kind = "flag" if is_flag else "command"
        raise UsageError(f"there is no {kind} '{name}'; {hint}")
    if name in OF_RECIPES:
        return int(_run_recipe(name, rest) or 0)
    if name in ("finetune", "describe"):
        rest = [OUT.get(word, word) for word in rest]
    if name == "sweep":
        rest = [DRY_RUN.get(word, word) for word in rest]
    if name == "runs":
        rest = _name_stdout(rest)
    status = parse(COMMANDS[name].load(), name, rest)
    return int(status or 0)


def _name_stdout(words: list[str]) -> list[str]:
    """``--json`` and ``--csv`` without a file mean the standard output, which is ``-``."""
    named: list[str] = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        named.append(word)
        if word in ("--json", "--csv") and following.startswith("--"):
            named.append("-")
    return named


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = []
    for title, names in GROUPS.items():
        lines += [f"{title}:", *(f"  {name:<{width}}{COMMANDS[name].summary}" for name in names)]
        lines.append("")
    return "\n".join(
        [
            "usage: hierseg COMMAND [ARGUMENTS]",
            "",
            "Semantic segmentation of street scenes by hierarchical multi-scale attention.",
            "",
            *lines,
            "`hierseg help COMMAND` shows its arguments, `hierseg --version` the version.",
        ]
    )


def _run_recipe(command: str, words: list[str]) -> Any:
    """``hierseg train RECIPE [--data.root ...]``: the recipe's values are the flags' defaults."""
    from hierseg.recipes import RECIPES, get_recipe

    if not words or words[0].startswith("-"):
        usage = f"hierseg {command} RECIPE [FLAGS], where RECIPE is one of {', '.join(RECIPES)}"
        if "-h" in words or "--help" in words:
            shows = f"`hierseg {command} RECIPE --help` shows its flags and values."
            print(f"usage: {usage}\n\n{shows}\n{_SHORT}")
            return 0
        raise UsageError(f"name the recipe first: {usage}.")
    name = words[0]
    experiment = get_recipe(name)
    function = COMMANDS[command].load()
    own, flags = _list_flags(function, experiment)
    short = _list_short(function, own)
    rest = [
        short.get(flag, flag) + sep + value
        for flag, sep, value in (word.partition("=") for word in words[1:])
    ]
    about = inspect.getdoc(RECIPES[name] if command == "train" else function) or ""
    chosen = parse(flags, f"{command} {name}", rest, about=f"{about}\n\n{_SHORT}")
    parts = [field.name for field in dataclasses.fields(flags) if field.name not in own]
    changes = {part: getattr(chosen, part) for part in parts}
    given = {part: getattr(chosen, part) for part in own}
    return function(dataclasses.replace(experiment, **changes), **given)


def _list_short(function: Callable[..., Any], own: list[str]) -> dict[str, str]:
    """The short names that a command takes: not those of flags that it has itself."""
    hints = get_type_hints(function)
    parts = [hints[name] for name in own if dataclasses.is_dataclass(hints[name])]
    taken = {field.name for part in parts for field in dataclasses.fields(part)} | {*own}
    flags = {f"--{name.replace('_', '-')}" for name in taken}
    short = {name: full for name, full in SHORT_FLAGS.items() if name not in flags}
    return short | ({"-o": "--out"} if "--out" in flags else {})


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
