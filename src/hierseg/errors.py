"""Failures that a user can cause, each a sentence that names the file or flag and the cure.

The command line prints the sentence and leaves with the status that the error carries; anything
that is not one of these is a defect of hierseg and keeps its traceback.
"""

from __future__ import annotations

import errno

_CURES = {
    errno.EACCES: "permission denied; choose a place that you may read and write",
    errno.EPERM: "permission denied; choose a place that you may read and write",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOSPC: "no space is left on the disk; free some, or choose another place",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another place",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "this is a folder where a file is needed; check the path",
    errno.EEXIST: "this is a file where a folder is needed; name another, or remove it",
}


def reason_of(error: OSError) -> str:
    """What the operating system refused, and the cure, without the file's name or a full stop."""
    return _CURES.get(error.errno or 0, (error.strerror or "failed").lower())


class UserError(Exception):
    """A failure with a cure; ``str(error)`` is one sentence for the user. Exit status 1."""

    exit_status = 1


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
