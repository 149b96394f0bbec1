"""A csv file that grows row by row, also after it was damaged."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from hierseg.errors import UserError
from hierseg.files import saving

LONGEST_LINE = 1 << 16
"""Bytes; a row has a few dozen numbers."""
_NUMBER = re.compile(r"[0-9]{1,18}")
_VALUE = re.compile(r"[-+0-9.einfaN]{0,32}")

Row = dict[str, str]


class CsvTable:
    """A csv file that grows row by row; cells without a value stay empty.

    Args:
        path: The file, in an existing folder.
        fields: Names of the columns.
        until: Rows of an earlier part of the run are kept up to this value of the first column,
            since the run repeats everything after the saved state.
        say: Called with a line about damaged rows, which are left out.
    """

    def __init__(
        self,
        path: Path,
        fields: Sequence[str],
        until: int = 0,
        say: Callable[[str], object] = print,
    ) -> None:
        self.path = path
        self.fields = fields
        kept: list[Row] = []
        if path.is_file() and until > 0:
            kept, damaged = _read_rows(path, fields, until)
            if damaged:
                last = kept[-1][fields[0]] if kept else "none"
                rows = "1 line" if damaged == 1 else f"{damaged} lines"
                say(
                    f"{path} is damaged: {rows} left out; its last row is that of {fields[0]} "
                    f"{last}, and the run goes on from {fields[0]} {until}."
                )
        with (
            saving(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, fields, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)

    def append(self, row: Mapping[str, float | int]) -> None:
        """Add a row and close the file again, so that a killed run loses none.

        Raises:
            UserError: The file cannot be written.
        """
        written = {
            name: f"{value:.6g}" if isinstance(value, float) else value
            for name, value in row.items()
        }
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self.fields, restval="", extrasaction="ignore")
                writer.writerow(written)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written ({error.strerror}); see to it and continue with "
                "--runtime.resume."
            ) from error

    def read(self) -> list[Row]:
        """The rows of the file, as strings by column."""
        return read_table(self.path, self.fields)


def read_table(path: Path, fields: Sequence[str]) -> list[Row]:
    """The rows of a run's table, as strings by column; damaged lines are left out."""
    return _read_rows(path, fields)[0]


def _read_rows(path: Path, fields: Sequence[str], until: float = math.inf) -> tuple[list[Row], int]:
    """The whole rows up to a value of the first field, in ascending order, and the number of other
    lines. A power cut leaves zeros, pieces, and old content of the disk.
    """
    lines = _read_lines(path)
    header = next(lines, None)
    if header is None or header[:1] != [fields[0]] or not set(header) <= set(fields):
        return [], 1 + sum(1 for _ in lines)
    rows: list[Row] = []
    damaged, last = 0, 0
    for cells in lines:
        number = _number_of(cells, len(header))
        if number is None:
            damaged += 1
        elif last < number <= until:
            rows.append(dict(zip(header, cells or (), strict=True)))
            last = number
    return rows, damaged


def _number_of(cells: list[str] | None, count: int) -> int | None:
    """The first cell of a whole row as a number; None for any other line."""
    if cells is None or len(cells) != count or not _NUMBER.fullmatch(cells[0]):
        return None
    return int(cells[0]) if all(_VALUE.fullmatch(cell) for cell in cells) else None


def _read_lines(path: Path) -> Iterator[list[str] | None]:
    """The cells of each line; None for a line that is not of a table."""
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            try:
                yield next(csv.reader([line.decode("ascii")], strict=True))
            except (UnicodeDecodeError, csv.Error, StopIteration):
                yield None
