"""Numbers of things in sentences, and the name that was meant. No torch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_MISTYPED = 100
"""Characters of a name that are compared: what is longer is no slip of the pen."""


def count(number: int, noun: str, plural: str = "") -> str:
    """``count(1, "image")`` is ``"1 image"``, ``count(0, "class", "classes")`` ``"0 classes"``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def count_were(number: int, noun: str, plural: str = "") -> str:
    """The same as a subject in the past: ``"1 image was"``, ``"2 images were"``."""
    return f"{count(number, noun, plural)} {'was' if number == 1 else 'were'}"


def count_are(number: int, noun: str, plural: str = "") -> str:
    """The same in the present: ``"1 image is"``, ``"2 images are"``."""
    return f"{count(number, noun, plural)} {'is' if number == 1 else 'are'}"


def count_rate(seconds: float, nouns: str) -> str:
    """How fast things go that take so many seconds each: ``"2.5 s per image"``, or where that is
    under a second ``"4.0 images/s"``.
    """
    if seconds > 1:
        return f"{seconds:.1f} s per {nouns.removesuffix('s')}"
    return f"{1 / max(seconds, 1e-9):.1f} {nouns}/s"


def find_nearest(name: object, known: Iterable[str], least: float = 0.6) -> str:
    """The known name that is most like a mistyped one; empty where none is like it.

    Args:
        name: What was given.
        known: The names that there are.
        least: How like it must be, from 0 (the nearest, whatever it is) to 1 (equal).
    """
    given = str(name)[:LONGEST_MISTYPED]
    return next(iter(difflib.get_close_matches(given, list(known), n=1, cutoff=least)), "")
