"""`hierseg runs DIR`: compares the runs in a folder."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.places import check_place, write_result
from hierseg.errors import UsageError
from hierseg.ownership import require_own_json, with_header

if TYPE_CHECKING:
    from hierseg.sweeps import Comparison

STDOUT = Path("-")


def runs(
    folder: Path,
    /,
    sort: str = "miou",
    json: Path | None = None,
    csv: Path | None = None,
    page: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Compare the runs below a folder: the settings in which they differ, their last and best
    figures, the time of an epoch, status and machine.

    Args:
        folder: Any folder of runs of `hierseg train` or `hierseg sweep`.
        sort: A figure, the best value first (miou, loss, pixel_accuracy, ...), a setting in which
            they differ, name, status, or epoch_seconds.
        json: Write the table and all curves to this file; - is the standard output.
        csv: Write the table to this file; - is the standard output.
        page: Write a page with curves and charts of the figure against each setting to this file.
        overwrite: Replace files that no earlier run of this command wrote.
    """
    from hierseg.sweeps import Comparison, read_runs

    _check_places(json, csv, page, overwrite)
    comparison = Comparison(read_runs(folder), sort)
    if STDOUT not in (json, csv):
        _print(comparison)
    if json == STDOUT:
        print(json_text.dumps(with_header(comparison.to_json(), "runs"), indent=2))
    elif json is not None:
        write_result(json, comparison.to_json(), "runs")
    if csv == STDOUT:
        print(comparison.to_csv(), end="")
    elif csv is not None:
        _write(csv, comparison.to_csv())
    if page is not None:
        from hierseg.pages import render_runs_page
        from hierseg.sweeps import make_page

        _write(page, render_runs_page(make_page(comparison, f"Runs of {folder}")))
        if STDOUT not in (json, csv):
            print(f"page: {page.resolve().as_uri()}")


def _write(path: Path, text: str) -> None:
    from hierseg.files import write_text

    if path.exists() and not path.is_file():  # a device, such as /dev/stdout
        path.write_text(text, encoding="utf-8")
    else:
        write_text(path.resolve(), text)


def _check_places(json: Path | None, csv: Path | None, page: Path | None, overwrite: bool) -> None:
    """UsageError where a file would be replaced that is none of this command's."""
    for flag, path, start in (("--csv", csv, "run,status,"), ("--page", page, "<!doctype html>")):
        if path is None or path == STDOUT:
            continue
        check_place(flag, path)
        if not overwrite and path.is_file() and not _begins(path, start):
            raise UsageError(
                f"{flag} {path} is there, and it is not a result of `hierseg runs`; choose "
                "another file, or add --overwrite."
            )
    if json is not None and json != STDOUT:
        check_place("--json", json)
        require_own_json("--json", json, "runs", overwrite)


def _begins(path: Path, start: str) -> bool:
    from hierseg.pages import MARK

    with path.open("rb") as file:
        text = file.read(200).decode("utf-8", "replace")
    return text.startswith(start) and (
        path.suffix == ".csv" or not start.startswith("<") or MARK in text
    )


def _print(comparison: Comparison) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from hierseg.commands.progress import make_console
    from hierseg.errors import make_printable

    heading, rows = comparison.list_cells()
    table = Table(*map(escape, heading), box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(make_printable(cell)) for cell in row))
    console = make_console()
    if not console.is_terminal:  # a line for each run, however long
        console.width = 4 + sum(
            3 + max(map(len, column)) for column in zip(heading, *rows, strict=True)
        )
    console.print(table)
    for record in comparison.records:
        if record.status == "failed":
            print(make_printable(f"failed: {record.name}: {record.reason}"))
