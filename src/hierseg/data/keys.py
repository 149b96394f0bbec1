"""Keys of files that users write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from hierseg.errors import UserError

SHOWN = 80
"""Characters of a wrong key that an error shows."""


def check_keys(given: Iterable[object], known: Sequence[str], where: str) -> None:
    """UserError for a key that is not known, with the nearest one that is.

    Args:
        given: The keys.
        known: Those that may be.
        where: The file, and the place in it.
    """
    for key in given:
        if key not in known:
            shown = _show(key)
            near = difflib.get_close_matches(shown, known, n=1, cutoff=0.0)
            raise UserError(
                f"{where} has a key '{shown}' that is not known; the nearest is '{near[0]}'."
            )


def _show(key: object) -> str:
    """A key, cut short."""
    try:
        return str(key)[:SHOWN]
    except ValueError:  # Python does not write out numbers of thousands of digits
        return "a number"
