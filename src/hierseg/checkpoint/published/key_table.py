"""A table of names that translates both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

_PLACE = re.compile(r"\{(\w)(?:\+(\d+))?\}")


class KeyTable:
    """Names of layers in a published checkpoint and hierseg's names for them.

    In a row ``{letter}`` is the same number on both sides, and ``{letter+1}`` is that number plus
    one. The tensor's own name (``.weight``, ``.running_mean`` ...) is the same in both, unless
    ``tensors`` says otherwise.

    Args:
        rows: Pairs of (published layer, hierseg's layer).
        tensors: Published name -> hierseg's name of a layer's tensors, where they differ.
        absent: hierseg's names of a layer's tensors that the publication lacks.
    """

    def __init__(
        self,
        rows: Sequence[tuple[str, str]],
        tensors: Mapping[str, str] | None = None,
        absent: Sequence[str] = (),
    ) -> None:
        self.rows = tuple(rows)
        self.tensors = dict(tensors or {})
        self.absent = frozenset(absent)

    @cached_property
    def _to_own(self) -> list[_Row]:
        return [_Row(published, own, self.tensors) for published, own in self.rows]

    @cached_property
    def _to_published(self) -> list[_Row]:
        own_tensors = {own: published for published, own in self.tensors.items()}
        return [_Row(own, published, own_tensors) for published, own in self.rows]

    def to_own(self, name: str) -> str | None:
        """hierseg's name of a published tensor, or None if no row has it."""
        return _translate(name, self._to_own)

    def to_published(self, name: str) -> str | None:
        """The published name of one of hierseg's tensors, or None if no row has it."""
        if name.rpartition(".")[2] in self.absent:
            return None
        return _translate(name, self._to_published)


class _Row:
    """One row, read in one direction."""

    def __init__(self, source: str, target: str, tensors: Mapping[str, str]) -> None:
        self.start = source.partition("{")[0]
        self.offsets = {letter: int(offset or 0) for letter, offset in _PLACE.findall(source)}
        self.pattern = _pattern(source)
        self.target = target
        self.tensors = tensors

    def translate(self, name: str) -> str | None:
        # Most rows are ruled out by their first characters, faster than by the expression.
        match = self.pattern.fullmatch(name) if name.startswith(self.start) else None
        if match is None:
            return None
        numbers = {letter: int(match[letter]) - offset for letter, offset in self.offsets.items()}
        if any(number < 0 for number in numbers.values()):
            return None
        layer = _PLACE.sub(lambda place: str(numbers[place[1]] + int(place[2] or 0)), self.target)
        return f"{layer}.{self.tensors.get(match['tensor'], match['tensor'])}"


def _pattern(layer: str) -> re.Pattern[str]:
    """``a{x}.b`` as an expression that captures the number x and the tensor's own name."""
    pieces = _PLACE.split(layer)
    expression = re.escape(pieces[0])
    found: set[str] = set()
    for letter, literal in zip(pieces[1::3], pieces[3::3], strict=True):
        again = letter in found
        expression += f"(?P={letter})" if again else f"(?P<{letter}>0|[1-9]\\d{{0,4}})"
        expression += re.escape(literal)
        found.add(letter)
    return re.compile(expression + r"\.(?P<tensor>[a-z_]+)")


def _translate(name: str, rows: Sequence[_Row]) -> str | None:
    for row in rows:
        translated = row.translate(name)
        if translated is not None:
            return translated
    return None
