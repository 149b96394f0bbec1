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
    """Read every image and label map of a data set, and report what is wrong with it.

    Reports counts, sizes, images or label maps without a partner, unreadable files, label ids that
    belong to no class, classes without pixels, and images in two splits. Exit status: 1 if training
    on the data set would go wrong.

    Args:
        data: Data set, or a file (.yaml, .json) that describes your own.
        root: Folder of the data set.
        splits: Splits to read; by default all that exist, and train_extra for coarse and
            auto-labels.
        labels: Labels to read: fine, coarse or auto; coarse and auto are for Cityscapes alone.
        cv: Cross-validation split; 0 is the standard one.
        palette: How to read label maps with a palette of greys, as lossless optimisers write them:
            ids are the palette's indices or its grey values. A description file has its own key.
        workers: Number of processes that read; by default one a core, at most eight.
        json: Also write the whole report to this file.
        overwrite: Replace the file of --json although this command did not write it.
    """
    from hierseg.commands.progress import announce, show_progress

    if workers is not None and workers < 0:
        raise UsageError(f"--workers {workers} is negative; give 0 or more.")
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
