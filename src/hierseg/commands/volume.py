"""How much a command says besides its results and its failures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from hierseg.errors import make_printable


class Volume(Enum):
    """What ``-q`` and ``-v`` choose between."""

    QUIET = "quiet"
    """Results, warnings and failures alone."""
    USUAL = "usual"
    VERBOSE = "verbose"
    """Also each step with its time, and where in the code a failure came from."""


_volume = Volume.USUAL


@contextmanager
def at_volume(volume: Volume) -> Iterator[None]:
    """Set the volume of the whole process within the block."""
    global _volume
    before, _volume = _volume, volume
    try:
        yield
    finally:
        _volume = before


def is_quiet() -> bool:
    """Whether nothing but results, warnings and failures is to be said."""
    return _volume is Volume.QUIET


def is_verbose() -> bool:
    """Whether each step is to be said."""
    return _volume is Volume.VERBOSE


def remark(line: str) -> None:
    """Print a line on standard error, unless ``-q`` is given."""
    if not is_quiet():
        print(make_printable(line), file=sys.stderr, flush=True)
