"""Merges the counts of several processes, with the result of one process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from hierseg.distributed import gather


class Mergeable(Protocol):
    """Counts to which those of other images can be added."""

    def merge(self, other: Any) -> None:
        """Add the counts of another."""


Counts = TypeVar("Counts", bound=Mergeable)


def merge_in_order(parts: Mapping[int, Counts], blank: Counts) -> Counts:
    """Merge the counts of all processes into ``blank``, in the order of the images, so that sums of
    floats are the same to the last digit for any number of processes.

    Args:
        parts: Image -> its counts, of this process.
        blank: Counts without any image.
    """
    found: dict[int, Counts] = {}
    for share in gather(dict(parts)):
        found.update(share)
    for index in sorted(found):
        blank.merge(found[index])
    return blank
