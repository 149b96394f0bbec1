"""How `hierseg export` compares the exported file with the network: its flags, and its messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.places import check_inputs
from hierseg.errors import UsageError, make_printable

if TYPE_CHECKING:
    from hierseg.exporting import Checks, ExportReport

REJECTED = 1


@dataclass(frozen=True)
class CheckFlags:
    """Pictures and data for the comparison with the network, and for int8."""

    check: Path | None = None
    """Folder of pictures that the file and the network segment; by default scenes are drawn."""
    data: str | None = None
    """Data set, or a file that describes one, on which the mIoU of both is measured."""
    root: Path | None = None
    """Folder of that data set."""
    split: str = "val"
    """Split of that data set."""
    limit: int | None = None
    """Measure mIoU on at most this many images, the first ones of the split."""
    cv: int = 0
    """Cross-validation split of cityscapes (0 is the standard one) or kitti."""
    calibrate: Path | None = None
    """For int8: folder of pictures such as the network will see, on which ranges of values are
    measured; 20 to 30 are enough. By default images of --data."""
    calibrate_split: str = "train"
    """Split of --data that these are taken from."""
    tolerance: float | None = None
    """Share of pixels that may have another label, not counting pixels whose two largest logits
    nearly tie; by default 0.0001, for fp16 0.01, for int8 0.05. If more pixels differ, the file is
    renamed to FILE.rejected."""

    def check_paths(self) -> None:
        """UsageError or UserError for missing paths, before anything is loaded."""
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit} leaves no images; give 1 or more.")
        if self.data is None and self.root is not None:
            raise UsageError("--root is the folder of --data; name that, or leave it out.")
        for flag, folder in (("--check", self.check), ("--calibrate", self.calibrate)):
            if folder is not None and not folder.exists():
                raise UsageError(f"{flag} {folder} is not there; name a folder of pictures.")
        check_inputs(self.data, self.root, self.split)

    def resolve(self) -> Checks:
        """The same, as the room takes them."""
        from hierseg.exporting import Checks, LabelledData

        root = None if self.root is None else str(self.root)
        data = None
        if self.data is not None:
            data = LabelledData(self.data, root, self.split, self.limit, self.cv)
        return Checks(self.check, data, self.calibrate, self.calibrate_split, self.tolerance)


PLAIN = CheckFlags()
"""Compared on scenes that are drawn, without a data set."""


def tell_report(report: ExportReport) -> int:
    """Print the report; returns the exit status."""
    from hierseg.exporting import describe_report, name_page_folder, name_report

    for line in describe_report(report):
        print(make_printable(line))
    page = name_page_folder(report.path) / "index.html"
    print(make_printable(f"report: {name_report(report.path)}, {page.resolve().as_uri()}"))
    if report.reason:
        print(
            make_printable(
                f"rejected: {report.reason}; the file is now {report.path.name}.rejected."
            )
        )
        return REJECTED
    print(make_printable(f"use it as --weights {report.path}"))
    return 0
