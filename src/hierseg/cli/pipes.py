"""What a command does when whatever reads its output has seen enough, as ``head`` has."""

from __future__ import annotations

import os
import select
import sys
from typing import TextIO

CLOSED = 141  # 128 + SIGPIPE, as shells have it of a command that the signal ends


def is_closed(stream: TextIO | None) -> bool:
    """Whether a stream is a pipe that nobody reads any more."""
    try:
        descriptor = stream.fileno() if stream is not None else -1
    except (OSError, ValueError):  # of a test, or closed
        return False
    if descriptor < 0:
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def forget_output() -> None:
    """Let the interpreter's last flush of both streams, at its end, go nowhere instead of failing.

    A stream that is still read keeps what it holds.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if is_closed(stream):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
