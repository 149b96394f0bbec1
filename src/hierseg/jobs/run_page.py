"""Writes the page of a run, ``index.html``, from its summary."""

from __future__ import annotations

from pathlib import Path

from hierseg.jobs.summary import Summary
from hierseg.labels import LabelSpace
from hierseg.options import show_scales
from hierseg.pages import Page, write_page
from hierseg.wording import count


def write_run_page(
    summary: Summary, space: LabelSpace, out: Path, title: str = "Segmented images"
) -> Path:
    """Write the page of all images in a run's summary.

    Args:
        summary: The summary of the run.
        space: Label space of its predictions.
        out: Folder of the run.
        title: Heading of the page.

    Raises:
        OSError: The page cannot be written.
    """
    scales = show_scales(summary.settings["scales"])
    facts = [
        count(len(summary.records), "image"),
        f"weights {summary.about['weights']}",
        f"classes of {space.name}",
        *([f"{summary.about['data']} {summary.about['split']}"] if "data" in summary.about else []),
        *([summary.about["split_note"]] if summary.about.get("split_note") else []),
        f"scales {scales}" + (", with mirror image" if summary.settings["flip"] else ""),
    ]
    for key, what in (
        ("long_edge", "images run at a long edge"),
        ("short_edge", "images run at a short edge"),
        ("longest", "larger images run at a long edge"),
    ):
        if key in summary.settings:
            facts.append(f"{what} of {summary.settings[key]}")
    records = list(summary.records.values())
    return write_page(Page(title, facts, space, records, summary.skipped), out)
