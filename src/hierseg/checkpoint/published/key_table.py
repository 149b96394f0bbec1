"""A table of names that is read both ways."""

from __future__ import annotations

import re
from collections.abc import Sequence


class KeyTable:
    """Names of layers in a published checkpoint against names of layers here.

    A row's ``{letter}`` stands for the same number on both sides. What follows the layer's name
    (``.weight``, ``.running_mean`` ...) is the same in both.

    Args:
        rows: (published layer, own layer) each.
    """

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        self.rows = tuple(rows)
        self._to_own = [(_pattern(published), own) for published, own in rows]
        self._to_published = [(_pattern(own), published) for published, own in rows]

    def to_own(self, name: str) -> str | None:
        """The name here of a tensor's published name, or None if no row has it."""
        return _translate(name, self._to_own)

    def to_published(self, name: str) -> str | None:
        """The published name of a tensor's name here, or None if no row has it."""
        return _translate(name, self._to_published)


def _pattern(layer: str) -> re.Pattern[str]:
    """``a{x}.b`` as an expression that finds the number x and the tensor's own name."""
    pieces = re.split(r"\{(\w)\}", layer)
    expression = "".join(
        f"(?P<{piece}>\\d+)" if index % 2 else re.escape(piece)
        for index, piece in enumerate(pieces)
    )
    return re.compile(expression + r"\.(?P<tensor>[a-z_]+)")


def _translate(name: str, rows: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, layer in rows:
        match = pattern.fullmatch(name)
        if match:
            return f"{layer.format(**match.groupdict())}.{match['tensor']}"
    return None
