"""Counts in sentences, and the nearest known name to a mistyped one. No torch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_MISTYPED = 100
"""Most characters of a name that are compared; a longer text is not a mistyped name."""


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
    """The rate of things that take so many seconds each: ``"2.5 s per image"``, or ``"4.0
    images/s"`` if one takes a second or less.
    """
    if seconds > 1:
        return f"{seconds:.1f} s per {nouns.removesuffix('s')}"
    return f"{1 / max(seconds, 1e-9):.1f} {nouns}/s"


def find_nearest(name: object, known: Iterable[str], least: float = 0.6) -> str:
    """The known name that is most similar to a mistyped one; empty if none is similar enough.

    Args:
        name: The mistyped name.
        known: All valid names.
        least: The smallest similarity, from 0 (any name) to 1 (equal).
    """
    given = str(name)[:LONGEST_MISTYPED]
    return next(iter(difflib.get_close_matches(given, list(known), n=1, cutoff=least)), "")
