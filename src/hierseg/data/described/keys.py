"""Keys of files that users write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hierseg.errors import UserError, quote_name
from hierseg.wording import find_nearest


def check_keys(given: Iterable[object], known: Sequence[str], where: str) -> None:
    """UserError for an unknown key, with the nearest known one.

    Args:
        given: The keys to check.
        known: The keys that may occur.
        where: The file, and the place in it.
    """
    for key in given:
        if key not in known:
            shown = quote_name(key)
            near = find_nearest(shown, known, least=0.0)
            raise UserError(
                f"{where} has an unknown key {shown}; the nearest known key is '{near}'."
            )
