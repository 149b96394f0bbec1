"""Patterns of paths, matched without trying one way after another.

A regular expression with n stars tries up to length^n ways before it gives up. Here each piece
between two stars is looked for once, from the right, which finds what a greedy match finds: the
first star stands for as much as it can, then the second, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Sized
from functools import lru_cache

ANY_FOLDERS = "**"
MAGIC = re.compile(r"[*?\[]")

Groups = tuple[str, ...]
"""What each star of a pattern stood for; ``**/`` for folders, with a ``/`` behind each."""
Matcher = Callable[[str], Groups | None]
_Piece = str | Sequence[Callable[[str], object]]
"""What lies between two stars: the characters, or a test for each."""


def split_pattern(pattern: str) -> list[str]:
    """The parts of a pattern between slashes, without those that mean nothing."""
    return [part for part in pattern.split("/") if part not in ("", ".")]


def compile_glob(pattern: str) -> Matcher:
    """A function that matches relative paths with ``/``; what each star stood for is a group.

    ``*``, ``?`` and ``[a-z]`` match within a name as in a shell, and of these only stars are
    groups; ``**/`` stands for any folders. A dot that hides a name is matched by a dot alone.

    Raises:
        re.error: A range of characters that cannot be, as ``[z-a]``.
    """
    parts = split_pattern(pattern)
    runs: list[list[Matcher]] = [[]]
    for place, part in enumerate(parts):
        if part == ANY_FOLDERS and place < len(parts) - 1:
            runs.append([])
        else:
            runs[-1].append(compile_name(part))

    def match(path: str) -> Groups | None:
        names = path.split("/")
        if len(runs) == 1:
            return _match_run(runs[0], names, 0) if len(names) == len(parts) else None
        starts = _place(runs, len(names), lambda n, at: _match_run(runs[n], names, at) is not None)
        if starts is None:
            return None
        groups = _match_run(runs[0], names, 0) or ()
        for number in range(1, len(runs)):
            folders = names[starts[number - 1] + len(runs[number - 1]) : starts[number]]
            if any(name.startswith(".") for name in folders):
                return None
            any_folders = "".join(f"{name}/" for name in folders)
            inner = _match_run(runs[number], names, starts[number]) or ()
            groups = (*groups, any_folders, *inner)
        return groups

    return match


@lru_cache(maxsize=256)
def compile_name(pattern: str) -> Matcher:
    """As ``compile_glob``, for a name: one part of a pattern."""
    tokens: list[list[str]] = [[]]
    for token in re.findall(r"\*|\[!?\]?[^\]]*\]|.", pattern, re.DOTALL):
        if token == "*":
            tokens.append([])
        else:
            tokens[-1].append(token)
    pieces = [_make_piece(between) for between in tokens]
    shows_hidden = pattern.startswith(".")

    def match(name: str) -> Groups | None:
        if name.startswith(".") and not shows_hidden:
            return None
        starts = _place(pieces, len(name), lambda n, at: _is_at(pieces[n], name, at))
        if starts is None:
            return None
        ends = [start + len(piece) for start, piece in zip(starts, pieces, strict=True)]
        return tuple(name[end:start] for end, start in zip(ends, starts[1:], strict=False))

    return match


def _make_piece(tokens: Sequence[str]) -> _Piece:
    if all(len(token) == 1 and token != "?" for token in tokens):
        return "".join(tokens)
    return [_test_character(token) for token in tokens]


def _test_character(token: str) -> Callable[[str], object]:
    if token == "?":
        return bool
    if len(token) == 1:
        return token.__eq__
    negated = token.startswith("[!") and len(token) > 3
    inner = re.sub(r"([\\^\[&~|])", r"\\\1", token[2:-1] if negated else token[1:-1])
    return re.compile(f"[{'^' if negated else ''}{inner}]").match


def _place(
    pieces: Sequence[Sized], size: int, fits: Callable[[int, int], bool]
) -> list[int] | None:
    """Where each piece begins: the first in front, the last at the end, and the others, from the
    last to the first, as far to the right as they fit; None where one does not.
    """
    least, end = len(pieces[0]), size - len(pieces[-1])
    if len(pieces) == 1:
        return [0] if end == 0 and fits(0, 0) else None
    if end < least or not (fits(0, 0) and fits(len(pieces) - 1, end)):
        return None
    starts = [end]
    for number in range(len(pieces) - 2, 0, -1):
        start = end - len(pieces[number])
        while start >= least and not fits(number, start):
            start -= 1
        if start < least:
            return None
        starts.append(start)
        end = start
    return [0, *reversed(starts)]


def _is_at(piece: _Piece, name: str, start: int) -> bool:
    if isinstance(piece, str):
        return name.startswith(piece, start)
    return all(test(name[start + place]) for place, test in enumerate(piece))


def _match_run(run: Sequence[Matcher], names: Sequence[str], start: int) -> Groups | None:
    """What the stars of as many parts of a pattern stood for in the names from a place on."""
    groups: list[str] = []
    for place, match in enumerate(run):
        found = match(names[start + place])
        if found is None:
            return None
        groups += found
    return tuple(groups)
