"""A checked export: the file is written, compared with the network, and rejected if they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hierseg.checkpoint import Header
from hierseg.data import DataOptions, open_dataset
from hierseg.errors import UsageError
from hierseg.exporting.graph_run import LabelledData
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.quantising import JUDGED, MEASURED, Quantisation, write_quantised
from hierseg.exporting.report import (
    CheckOptions,
    ExportReport,
    check_export,
    name_report,
    reject,
    write_report,
)
from hierseg.exporting.report_page import require_own_page, write_report_page
from hierseg.exporting.samples import (
    SampleImage,
    draw_samples,
    read_dataset_samples,
    read_samples,
)
from hierseg.exporting.writing import write_graph
from hierseg.models import SegmentationNetwork
from hierseg.ownership import require_own_json
from hierseg.size import Size

MOST_CHECKED = 8
"""Most pictures of a folder on which a file is compared."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Checks:
    """How an export is compared with its network, and calibrated for int8.

    Attributes:
        pictures: A folder of pictures that file and network segment; None for drawn scenes.
        data: A labelled split on which the mIoU of file and network is measured; None for none.
        calibrate: A folder of pictures on which the ranges for int8 are measured; None for the
            split ``calibrate_split`` of ``data``.
        calibrate_split: The split of ``data`` on which ranges are measured without
            ``calibrate``.
        tolerance: Largest share of the clear pixels whose label may differ; None for 0.0001 with
            float32, 0.01 with fp16, and 0.05 with int8.
    """

    pictures: Path | None = None
    data: LabelledData | None = None
    calibrate: Path | None = None
    calibrate_split: str = "train"
    tolerance: float | None = None

    def check(self, options: ExportOptions) -> None:
        """UsageError for values that are out of range or exclude each other."""
        if self.tolerance is not None and not 0 <= self.tolerance <= 1:
            raise UsageError(
                f"--tolerance {self.tolerance:g} is not from 0 to 1; give a share, such as 0.01."
            )
        if options.precision == "int8":
            if self.calibrate is None and self.data is None:
                raise UsageError(
                    "--precision int8 needs pictures like those that the network will see; give a "
                    "folder of them with --calibrate, or a data set with --data and --root."
                )
        elif self.calibrate is not None:
            raise UsageError(
                "--calibrate is for --precision int8; give that too, or leave --calibrate out."
            )
        if options.part == "scale" and self.data is not None:
            raise UsageError(
                "--part scale gives no labels, so mIoU cannot be measured; leave --data out."
            )


def export_checked(
    network: SegmentationNetwork,
    header: Header,
    path: Path,
    options: ExportOptions,
    checks: Checks = Checks(),  # frozen
    overwrite: bool = False,
    say: Say | None = None,
) -> ExportReport:
    """Write a network as a graph, and compare the graph with the network in a new process.

    ``FILE.report.json`` and ``FILE.report/index.html`` are written beside the file. A file that
    exceeds the tolerance or does not run is renamed to ``FILE.rejected``.

    Args:
        network: The network, in evaluation mode.
        header: The header for the file's metadata.
        path: The file to write; an existing one is replaced.
        options: The graph's options.
        checks: How the file is compared with the network.
        overwrite: Replace a report at the same path that hierseg did not write.
        say: Called with the current activity.

    Returns:
        The report, with a ``reason`` if the file is rejected.

    Raises:
        UsageError: Options are out of range or exclude each other, or a file that hierseg did not
            write is at the report's path.
        UserError: A package or file is missing, or the network cannot be exported.
    """
    options.check(path)
    checks.check(options)
    require_own_json("--out", name_report(path), "export", overwrite)
    samples, source = _take_samples(checks, options.size)
    require_own_page(path, [sample.name for sample in samples], overwrite)
    made = None
    if options.precision == "int8":
        made = _quantise(network, header, path, options, checks, say)
    else:
        write_graph(network, header, path, options, say)
    compared = CheckOptions(samples, source, checks.data, checks.tolerance)
    report = check_export(network, path, compared, made, say)
    if report.reason:
        reject(path)
    write_report(report)
    write_report_page(report, samples, overwrite)
    return report


def _quantise(
    network: SegmentationNetwork,
    header: Header,
    path: Path,
    options: ExportOptions,
    checks: Checks,
    say: Say | None,
) -> Quantisation:
    most = MEASURED + JUDGED
    if checks.calibrate is not None:
        images = read_samples(checks.calibrate, most, options.size)
        source = str(checks.calibrate)
    else:
        data = checks.data
        assert data is not None  # as Checks.check has it
        root = None if data.root is None else Path(data.root)
        split = checks.calibrate_split
        dataset = open_dataset(data.name, root, split, options=DataOptions(cv=data.cv))
        images = read_dataset_samples(dataset, most, options.size)
        source = f"{data.name} {split}"
    return write_quantised(network, header, path, options, images, source, say)


def _take_samples(checks: Checks, size: Size | None) -> tuple[list[SampleImage], str]:
    if checks.pictures is None:
        return draw_samples(size), "Miniature Streets"
    return read_samples(checks.pictures, MOST_CHECKED, size), str(checks.pictures)
