"""The command line: what is parsed, and what a failure looks like.

A command is a function of `hierseg.commands` that is imported when it is called for; its typed
arguments are its flags and its docstring is its help. No torch until a command needs it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext

import hierseg
from hierseg.assets import expand_word
from hierseg.cli.ending import Termination, plain_warnings
from hierseg.cli.flags import Shown, parse
from hierseg.cli.names import ALIASES, HELP, QUIET, VERBOSE
from hierseg.cli.pipes import CLOSED, forget_output, is_closed
from hierseg.cli.recipe_flags import SHORT_FLAGS as SHORT_FLAGS
from hierseg.cli.recipe_flags import run_recipe
from hierseg.commands.table import COMMANDS, GROUPS, OF_RECIPES, TOGETHER
from hierseg.commands.volume import Volume, at_volume
from hierseg.errors import (
    NO_MEMORY,
    UsageError,
    UserError,
    flags_shown,
    lacks_memory,
    make_printable,
    reason_of,
)
from hierseg.processes import Launch, only_first_speaks, share_processors
from hierseg.wording import find_nearest

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``hierseg ARGUMENTS`` (those of the process by default) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    share_processors()
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
        if {*VERBOSE} & {*words}:
            traceback.print_exc()
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
        words = [*words[1:], *([] if set(HELP) & set(words) else ["--help"])]
    if words[:1] == ["--complete"]:
        return _answer_shell(words[1:])
    words, volume = _take_volume(words)
    if not words or words[0] in (*HELP, "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"hierseg {hierseg.__version__}")
        return 0
    with at_volume(volume):
        return _run_command(words[0], [expand_word(word) for word in words[1:]])


def _run_command(name: str, words: list[str]) -> int:
    if name not in COMMANDS:
        is_flag = name.startswith("-")
        near = "" if is_flag else find_nearest(name, COMMANDS, least=0.4)
        hint = f"did you mean '{near}'?" if near else "`hierseg --help` lists them."
        kind = "flag" if is_flag else "command"
        raise UsageError(f"there is no {kind} '{name}'; {hint}")
    if name in OF_RECIPES:
        return int(run_recipe(name, words) or 0)
    if name in ("predict", "evaluate"):
        words = _name_steady(words)
    if name == "runs":
        words = _name_stdout(words)
    if name == "check":  # whose data set is its first word
        words = _put_first(words, "--data")
    command = COMMANDS[name]
    shown = Shown(name, command.example, command.flags, "", ALIASES)
    return int(parse(command.load(), shown, words) or 0)


def _take_volume(words: list[str]) -> tuple[list[str], Volume]:
    """The words without those that say how much is said, and what they say."""
    end = words.index("--") if "--" in words else len(words)
    given = {word for word in words[:end] if word in (*QUIET, *VERBOSE)}
    left = [word for word in words[:end] if word not in given] + words[end:]
    if given & {*QUIET} and given & {*VERBOSE}:
        raise UsageError("-q says less and -v says more; give one of them.")
    if not given:
        return left, Volume.USUAL
    return left, Volume.QUIET if given & {*QUIET} else Volume.VERBOSE


def _answer_shell(words: list[str]) -> int:
    """What may stand at a place, a line each; nothing where that fails, as a prompt is no place for
    a message.
    """
    from hierseg.cli.completing import complete

    if words and words[0].isdecimal():
        for word in complete(int(words[0]), words[1:]):
            print(word)
    return 0


def _put_first(words: list[str], flag: str) -> list[str]:
    """The value of a flag as the first word, and the flag left out."""
    for place, word in enumerate(words):
        if word == flag and place + 1 < len(words):
            return [words[place + 1], *words[:place], *words[place + 2 :]]
        if word.startswith(f"{flag}="):
            return [word.partition("=")[2], *words[:place], *words[place + 1 :]]
    return words


def _name_stdout(words: list[str]) -> list[str]:
    """``--json`` and ``--csv`` without a file mean the standard output, which is ``-``."""
    named: list[str] = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        named.append(word)
        if word in ("--json", "--csv") and following.startswith("--"):
            named.append("-")
    return named


def _name_steady(words: list[str]) -> list[str]:
    """``--steady`` by itself means ``--steady blend``."""
    named: list[str] = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        named.append(word)
        if word == "--steady" and following not in ("blend", "reuse"):
            named.append("blend")
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
            "`hierseg help COMMAND` shows an example and the flags that matter most;",
            "`hierseg COMMAND --help-all` shows all. Everywhere -o is --out, -q says only",
            "results and failures, -v says each step. `hierseg --version` is the version.",
        ]
    )
