"""Keys of files that users write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hierseg.errors import UserError, quote_name
from hierseg.wording import find_nearest


def check_keys(given: Iterable[object], known: Sequence[str], where: str) -> None:
    """UserError for a key that is not known, with the nearest one that is.

    Args:
        given: The keys.
        known: Those that may be.
        where: The file, and the place in it.
    """
    for key in given:
        if key not in known:
            shown = quote_name(key)
            near = find_nearest(shown, known, least=0.0)
            raise UserError(
                f"{where} has a key {shown} that is not known; the nearest is '{near}'."
            )
