"""Failures that a user can cause, each a sentence that names the file or flag and the cure.

The command line prints the sentence and leaves with the status that the error carries; anything
that is not one of these is a defect of hierseg and keeps its traceback.

Messages are written with flags, ``--max-pixels``; a caller in Python reads ``max_pixels``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Of hierseg itself: not what ends in a suffix or goes on as a path, which is a file's name.
_FLAG = re.compile(
    r"(?<![\w./-])--((?:(?:data|model|optim|loss|eval|runtime)\.)?[a-z]+(?:-[a-z]+)*)"
    r"(?![\w/-]|\.\w)"
)
_COMMAND = re.compile(r"(`[^`]*`)")

_NAME = re.compile(r"[\w .,()/+-]+")
MALFORMED = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""What reading values raises where a file does not hold what it should, or text of its kind."""
LONGEST_NAME = 80
"""Characters of a name out of a file that a sentence shows."""

_CURES = {
    errno.EACCES: "permission denied; choose a place that you may read and write",
    errno.EPERM: "permission denied; choose a place that you may read and write",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOSPC: "no space is left on the disk; free some, or choose another place",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another place",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "this is a folder where a file is needed; check the path",
    errno.ENAMETOOLONG: "a name or path is longer than the file system takes; choose a shorter one",
    errno.ENOMEM: "there is not enough memory; free some, or take smaller images or batches",
    errno.EEXIST: "this is a file where a folder is needed; name another, or remove it",
}


def make_printable(text: str) -> str:
    """Text from a file or a name, fit for a terminal: control characters as escapes.

    They could move the cursor, change colours, or forge a line of ours; so could marks that
    reverse the direction of writing.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def quote_name(text: object, longest: int = LONGEST_NAME) -> str:
    """A name out of a file, for a sentence: in quotes if it is short and looks like a name.

    Whatever else stands there is not shown: a wrong file may have been given, with secrets in it.
    """
    if isinstance(text, str) and len(text) <= longest and _NAME.fullmatch(text):
        return f"'{text}'"
    return "(not shown)"


def shorten(text: object, longest: int = LONGEST_NAME) -> str:
    """Text of a file that is what it should be, such as a class's name, for a sentence."""
    shown = str(text)
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


_shows_flags = False


@contextmanager
def flags_shown() -> Iterator[None]:
    """Within it errors name settings as the command line has them. Of the whole process: threads
    that read images make errors too.
    """
    global _shows_flags
    before, _shows_flags = _shows_flags, True
    try:
        yield
    finally:
        _shows_flags = before


def name_settings(text: str, flags: bool | None = None) -> str:
    """A message as its reader writes settings: ``--max-pixels`` on the command line, where it stays
    as it is, and ``max_pixels`` in Python. Commands between backticks remain commands.

    Args:
        text: The message.
        flags: Whether its reader writes flags; None for what holds of the process.
    """
    if _shows_flags if flags is None else flags:
        return text
    parts = _COMMAND.split(text)
    parts[::2] = [_FLAG.sub(lambda flag: flag[1].replace("-", "_"), part) for part in parts[::2]]
    return "".join(parts)


def reason_of(error: OSError) -> str:
    """What the operating system refused, and the cure, without the file's name or a full stop."""
    return _CURES.get(error.errno or 0, (error.strerror or "failed").lower())


class UserError(Exception):
    """A failure with a cure; ``str(error)`` is one sentence for the user, whose settings it names
    as ``name_settings`` says. Exit status 1.

    Example:
        try:
            network = hierseg.load_model("runs/first")
        except hierseg.UserError as error:
            print(error)
    """

    exit_status = 1

    def __init__(self, message: str = "") -> None:
        # Names of files, of tensors and of classes come from outside.
        super().__init__(make_printable(message))

    def __str__(self) -> str:
        return name_settings(super().__str__())


class UsageError(UserError):
    """Flags or arguments that cannot mean anything. Exit status 2."""

    exit_status = 2


class MissingExtraError(UserError):
    """An optional dependency is not installed.

    Args:
        feature: What the user asked for, as the subject of the sentence.
        extra: The extra of ``pip install "hierseg[extra]"`` that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an optional package: pip install "hierseg[{extra}]".')


class SilentError(UserError):
    """Another process of the run has said, or will say, what went wrong.

    Args:
        exit_status: Of that failure.
    """

    def __init__(self, exit_status: int = 1) -> None:
        super().__init__("")
        self.exit_status = exit_status


NO_MEMORY = (
    "there is not enough memory; free some, or run images smaller (--long-edge) or one at a time "
    "(--batch 1), and train on smaller crops or batches (--data.crop, --data.batch)."
)
_NO_MEMORY = re.compile(
    r"[Mm]emory|bad_alloc|DefaultCPUAllocator|ALLOC_FAILED|can't start new thread"
    r"|could not (?:create|execute) a primitive|unable to find an engine to execute"
    r"|failed to map segment from shared object$"
)
_NOT_OF_WANT = re.compile(
    # /dev/shm has a size of its own and its own cure; the others are defects, or of tensors.
    r"shared[ _]memory|/dev/shm|memory access|memory[ _]format|memory layout|overlapping memory"
    r"|(?:single|same) memory location",
    re.IGNORECASE,
)


def lacks_memory(error: BaseException) -> bool:
    """Whether it says that memory, a device's too, does not suffice; torch and the libraries below
    it say so in words, each in its own.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    text = str(error)
    return (
        isinstance(error, RuntimeError | ImportError | OSError)
        and _NO_MEMORY.search(text) is not None
        and _NOT_OF_WANT.search(text) is None
    )
