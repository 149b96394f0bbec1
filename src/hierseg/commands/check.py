"""`hierseg check`: what is wrong with a data set, before it is trained on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from hierseg.commands.places import check_inputs, check_result, write_result
from hierseg.errors import UsageError

MOST_WORKERS = 8


def check(
    data: str,
    /,
    root: Path | None = None,
    splits: tuple[str, ...] | None = None,
    labels: Literal["fine", "coarse", "auto"] = "fine",
    cv: int = 0,
    palette: Literal["indices", "values"] | None = None,
    workers: int | None = None,
    json: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Read every pair of a data set: counts, sizes, missing partners, unreadable files, label ids
    that no class claims, classes without pixels, images that are in two splits.

    The exit status is 1 if training on it would go wrong.

    Args:
        data: Data set, or a file (.yaml, .json) that describes your own.
        root: Folder that holds the data set.
        splits: Splits to read; all that are there if none is given, and of coarse and auto-labels
            train_extra.
        labels: Labels to read: fine, coarse or auto; the latter two are Cityscapes'.
        cv: Cross-validation split; 0 is the standard one.
        palette: What label maps with a palette of greys hold, as lossless optimisers write: places
            in it, or the greys. A file that describes data says by itself.
        workers: Processes that read; as many as there are cores, up to eight, if none is given.
        json: Write everything that was found to this file as well.
        overwrite: Replace a file there that is no earlier result of this command.
    """
    from hierseg.commands.progress import announce, show_progress

    if workers is not None and workers < 0:
        raise UsageError(f"{workers} workers cannot be; give --workers 0 or more.")
    check_result("--json", json, "check", overwrite)
    check_inputs(data, root, splits[0] if splits else "train")
    with announce("loading torch"):
        from hierseg.data import CheckReport, DataOptions, check_data, format_report

    count = min(MOST_WORKERS, os.cpu_count() or 1) if workers is None else workers
    if splits is None and labels != "fine":
        splits = ("train_extra",)
    report = CheckReport(data)
    options = DataOptions(cv=cv, labels=labels, palette=palette)
    try:
        with show_progress("checking") as on_progress:
            check_data(report, root, splits, options, count, on_progress)
    finally:
        # Also when interrupted: what was found until then is worth having.
        if report.splits or report.problems:
            print(format_report(report))
            if json is not None:
                write_result(json, report.to_json(), "check")
    return int(report.would_go_wrong)
