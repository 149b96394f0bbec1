"""What several processes have counted of a split's images, merged as one would have counted it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from hierseg.distributed import gather


class Mergeable(Protocol):
    """Counts that take up those of other images."""

    def merge(self, other: Any) -> None:
        """Add what another has counted."""


Counts = TypeVar("Counts", bound=Mergeable)


def merge_in_order(parts: Mapping[int, Counts], blank: Counts) -> Counts:
    """``blank``, with each image's counts merged into it in the order of the images, those of all
    processes among them: sums of floats are the same to the last digit, whoever counted what.

    Args:
        parts: By image, those of this process.
        blank: Counts of nothing.
    """
    found: dict[int, Counts] = {}
    for share in gather(dict(parts)):
        found.update(share)
    for index in sorted(found):
        blank.merge(found[index])
    return blank
