"""Splits that are the same on every machine and with every version of every library."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence


def shuffle_names(names: Sequence[str], seed: int) -> list[str]:
    """Names in an order that only they and the seed decide, whatever order they come in."""
    return sorted(
        names,
        key=lambda name: hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest(),
    )


def choose_window(val: Collection[str], train: Collection[str], cv: int) -> set[str]:
    """Groups that split ``cv`` of a cross-validation in three validates on (METHOD section 6).

    Of the list [val groups, sorted; train groups, sorted], as many as there are val groups, from
    ``cv * number of groups // 3`` on; ``cv`` 0 gives the val groups.
    """
    groups = sorted(val) + sorted(train)
    start = cv * len(groups) // 3
    return {groups[(start + place) % len(groups)] for place in range(len(val))}
