"""Numbers of things in sentences. No torch."""

from __future__ import annotations


def count(number: int, noun: str, plural: str = "") -> str:
    """``count(1, "image")`` is ``"1 image"``, ``count(0, "class", "classes")`` ``"0 classes"``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def count_were(number: int, noun: str, plural: str = "") -> str:
    """The same as a subject in the past: ``"1 image was"``, ``"2 images were"``."""
    return f"{count(number, noun, plural)} {'was' if number == 1 else 'were'}"


def count_are(number: int, noun: str, plural: str = "") -> str:
    """The same in the present: ``"1 image is"``, ``"2 images are"``."""
    return f"{count(number, noun, plural)} {'is' if number == 1 else 'are'}"
