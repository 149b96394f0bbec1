"""Compares runs: their settings that differ, and figures; as a table, JSON or csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from hierseg.errors import UsageError, shorten
from hierseg.sweeps.durations import show_duration
from hierseg.sweeps.folder import make_plain
from hierseg.sweeps.records import RunRecord, is_smaller_better
from hierseg.sweeps.resolving import OWN_SETTINGS
from hierseg.wording import find_nearest

NOT_COMPARED = OWN_SETTINGS | {"runtime.device", "runtime.log_every", "data.workers"}
"""Settings that do not change figures."""
FIRST_FIGURES = ("miou", "loss")


class Comparison:
    """Sorted runs, and the settings in which they differ.

    Args:
        records: The runs.
        sort: A figure, ``name``, ``status``, or a setting. Figures are sorted by their best value,
            the best first.

    Attributes:
        records: The runs in order.
        differing: The settings in which they differ.
        figure: The figure by which the runs are compared.
        figures: The figures that any run has.

    Raises:
        UsageError: No run has ``sort``.
    """

    def __init__(self, records: Sequence[RunRecord], sort: str = "miou") -> None:
        self.figures = _list_figures(records)
        self.differing = _list_differing(records)
        self.figure = sort if sort in self.figures else "miou"
        self.records = self._sort(records, sort)

    def _sort(self, records: Sequence[RunRecord], sort: str) -> list[RunRecord]:
        known = [*self.figures, "name", "status", "epoch_seconds", *self.differing]
        if sort in ("name", "status"):
            return sorted(records, key=lambda one: (getattr(one, sort), one.name))
        if sort == "epoch_seconds":
            return sorted(records, key=lambda one: (one.epoch_seconds or float("inf"), one.name))
        setting = self._find_setting(sort)
        if setting is not None:
            return sorted(records, key=lambda one: (_order(one.settings.get(setting)), one.name))
        if sort not in self.figures and not (sort == "miou" and not self.figures):
            near = find_nearest(sort, known, least=0.0)
            raise UsageError(
                f"--sort {shorten(sort)}: no run has it, and they do not differ in it; the nearest "
                f"is '{near}'."
            )
        sign = 1 if is_smaller_better(sort) else -1

        def rank(record: RunRecord) -> tuple[bool, float, str]:
            best = record.best(sort)
            return best is None, sign * (best or 0.0), record.name

        return sorted(records, key=rank)

    def _find_setting(self, name: str) -> str | None:
        asked = name.removeprefix("--").replace("-", "_")
        found = [one for one in self.differing if asked in (one, one.split(".")[-1])]
        return found[0] if found else None

    def list_rows(self) -> list[dict[str, Any]]:
        """A flat row for each run: name, status, figures, then the settings that differ."""
        return [self._make_row(record) for record in self.records]

    def _make_row(self, record: RunRecord) -> dict[str, Any]:
        row: dict[str, Any] = {
            "run": record.name,
            "status": record.status,
            "epochs": record.epochs,
            "epochs_planned": record.epochs_planned,
        }
        for figure in self.figures:
            row[f"best_{figure}"] = record.best(figure)
            row[f"best_{figure}_epoch"] = record.best_epoch(figure)
            row[f"last_{figure}"] = record.last(figure)
        row |= {"epoch_seconds": record.epoch_seconds, "machine": record.machine}
        row |= {name: make_plain(record.settings.get(name)) for name in self.differing}
        return row | {"reason": record.reason}

    def list_cells(self) -> tuple[list[str], list[list[str]]]:
        """Heading and rows of the printed table."""
        figures = [
            one for one in dict.fromkeys((self.figure, *FIRST_FIGURES)) if one in self.figures
        ]
        heading = ["run", "status", "epochs"]
        for figure in figures:
            heading += [f"best {figure}", f"last {figure}"]
        heading += ["epoch time", "machine", *(name.split(".", 1)[-1] for name in self.differing)]
        return heading, [self._make_cells(record, figures) for record in self.records]

    def _make_cells(self, record: RunRecord, figures: Sequence[str]) -> list[str]:
        of = "" if record.epochs_planned is None else f"/{record.epochs_planned}"
        cells = [record.name, record.status, f"{record.epochs}{of}"]
        for figure in figures:
            epoch = record.best_epoch(figure)
            at = "" if epoch is None else f" ({epoch})"
            cells += [f"{_show(record.best(figure))}{at}", _show(record.last(figure))]
        seconds = record.epoch_seconds
        cells += ["" if seconds is None else _show_time(seconds), record.machine]
        return cells + [show_setting(record.settings.get(name)) for name in self.differing]

    def to_json(self) -> dict[str, Any]:
        """The rows and the curves of each run, as JSON."""
        runs = []
        for row, record in zip(self.list_rows(), self.records, strict=True):
            curves = {name: list(map(list, curve)) for name, curve in record.curves.items()}
            runs.append({**row, "curves": curves})
        return {"figure": self.figure, "differing": list(self.differing), "runs": runs}

    def to_csv(self) -> str:
        """The rows as csv; cells without a value stay empty."""
        text = io.StringIO()
        rows = self.list_rows()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    name: " ".join(map(str, value)) if isinstance(value, list) else value
                    for name, value in row.items()
                }
            )
        return text.getvalue()


def show_setting(value: Any) -> str:
    """A setting's value, shortened; empty if there is none."""
    if isinstance(value, list | tuple):
        return " ".join(map(show_setting, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _show(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _show_time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else show_duration(seconds)


def _list_figures(records: Sequence[RunRecord]) -> list[str]:
    found = {name for record in records for name in (*record.curves, *record.figures)}
    found -= {"seconds", "num_classes_averaged", "rmi_fallbacks", "skipped"}
    first = [name for name in FIRST_FIGURES if name in found]
    return first + sorted(found - set(first))


def _list_differing(records: Sequence[RunRecord]) -> list[str]:
    """Settings that differ between runs, of those whose settings are known."""
    known = [record.settings for record in records if record.settings]
    names = dict.fromkeys(name for settings in known for name in settings)
    return [
        name
        for name in names
        if name not in NOT_COMPARED
        and len({repr(make_plain(settings.get(name))) for settings in known}) > 1
    ]


def _order(value: Any) -> tuple[int, float, str]:
    """A key that sorts numbers before text, and missing values last."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (2 if value is None else 1), 0.0, show_setting(value)
    return 0, float(value), ""
