"""Errors that a user can cause. Each is a sentence that names the file or flag and the cure.

The command line prints the sentence and exits with the status of the error. Any other exception is
a defect of hierseg and keeps its traceback.

The code writes messages with flags, ``--max-pixels``; a caller in Python reads ``max_pixels``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# A flag of hierseg. What ends in a suffix, or is part of a path, is the name of a file.
_FLAG = re.compile(
    r"(?<![\w./-])--((?:(?:data|model|optim|loss|eval|runtime)\.)?[a-z]+(?:-[a-z]+)*)"
    r"(?![\w/-]|\.\w)"
)
_COMMAND = re.compile(r"(`[^`]*`)")

_NAME = re.compile(r"[\w .,()/+-]+")
MALFORMED = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""Exceptions that reading values from a malformed file raises."""
LONGEST_NAME = 80
"""Most characters of a name from a file that a message shows."""

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
    """Make text from a file or a name safe for a terminal: control characters become escapes.

    They could move the cursor, change colours, or forge a line of output; so could marks that
    reverse the direction of writing.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def quote_name(text: object, longest: int = LONGEST_NAME) -> str:
    """A name from a file, for a message: in quotes if it is short and looks like a name.

    Any other text is not shown, since the user may have given a wrong file, with secrets in it.
    """
    if isinstance(text, str) and len(text) <= longest and _NAME.fullmatch(text):
        return f"'{text}'"
    return "(not shown)"


def shorten(text: object, longest: int = LONGEST_NAME) -> str:
    """Shorten text from a valid file, such as a class's name, for a message."""
    shown = str(text)
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


_shows_flags = False


@contextmanager
def flags_shown() -> Iterator[None]:
    """Within the context, errors name settings as the command line does: ``--max-pixels``.

    It holds for the whole process, since threads that read images raise errors too.
    """
    global _shows_flags
    before, _shows_flags = _shows_flags, True
    try:
        yield
    finally:
        _shows_flags = before


def name_settings(text: str, flags: bool | None = None) -> str:
    """A message with settings named as its reader writes them.

    On the command line the message stays as it is, with ``--max-pixels``; in Python it names
    ``max_pixels``. Commands between backticks are not changed.

    Args:
        text: The message, with flags.
        flags: Whether the reader uses the command line; None for the state of the process, which
            ``flags_shown`` sets.
    """
    if _shows_flags if flags is None else flags:
        return text
    parts = _COMMAND.split(text)
    parts[::2] = [_FLAG.sub(lambda flag: flag[1].replace("-", "_"), part) for part in parts[::2]]
    return "".join(parts)


def reason_of(error: OSError) -> str:
    """Why the operating system refused, and the cure, without the file's name or a full stop."""
    return _CURES.get(error.errno or 0, (error.strerror or "failed").lower())


class UserError(Exception):
    """An error that the user can correct. Exit status 1.

    ``str(error)`` is one sentence for the user. It names settings as ``name_settings`` does.

    Example:
        try:
            network = hierseg.load_model("runs/first")
        except hierseg.UserError as error:
            print(error)
    """

    exit_status = 1

    def __init__(self, message: str = "") -> None:
        # Messages hold names of files, tensors and classes, which are not trusted.
        super().__init__(make_printable(message))

    def __str__(self) -> str:
        return name_settings(super().__str__())


class UsageError(UserError):
    """Flags or arguments that are invalid or exclude each other. Exit status 2."""

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
    """An error that another process of the run reports; this process reports nothing.

    Args:
        exit_status: Exit status of that error.
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
    # A full /dev/shm has its own cure. The other messages are about defects or tensors.
    r"shared[ _]memory|/dev/shm|memory access|memory[ _]format|memory layout|overlapping memory"
    r"|(?:single|same) memory location",
    re.IGNORECASE,
)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error means that there is not enough memory, of the machine or of a device.

    torch and the libraries below it say so only in the text of the error, each in its own words.
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
