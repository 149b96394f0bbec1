"""Failures that a user can cause, each a sentence that names the file or flag and the cure.

The command line prints the sentence and leaves with the status that the error carries; anything
that is not one of these is a defect of hierseg and keeps its traceback.
"""

from __future__ import annotations


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
