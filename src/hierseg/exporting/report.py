"""The report of an export. The file is run by its own runtime in a new process, and compared with
its network.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hierseg.engines import ExportedHeader, read_graph_header
from hierseg.errors import UserError
from hierseg.exporting.comparison import (
    CLOSE,
    ImageComparison,
    Reference,
    as_batch,
    name_compared,
    read_given,
)
from hierseg.exporting.graph_run import Finding, LabelledData, Request, measure
from hierseg.exporting.quantising import Quantisation
from hierseg.exporting.samples import SampleImage
from hierseg.files import write_json
from hierseg.models import SegmentationNetwork
from hierseg.ownership import with_header
from hierseg.processes import ask_child, child_command
from hierseg.wording import count

LIMIT = 3600.0
"""Seconds after which the process that runs the file, and measures its mIoU, is stopped."""
MOST_DIFFERENT = {"float32": 1e-4, "fp16": 1e-2, "int8": 5e-2}
"""Precision -> share of the clear pixels whose label may differ."""
MOST_LOST = {"float32": 1e-4, "fp16": 2e-3, "int8": 1e-2}
"""Precision -> largest loss of mIoU, if it is measured."""
LARGEST_DIFFERENCE = 1e-2
"""Largest difference of a float32 file's other outputs; logits are around 10."""
ENDING = ".rejected"
LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino", "nncf")
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class ExportReport:
    """How a file compares with its network.

    Attributes:
        path: The file.
        about: Its header.
        source: The images' origin, in words.
        images: The comparison of each image.
        tolerance: Largest share of the clear pixels whose label may differ.
        size: Size of the file in bytes; for OpenVINO of both files.
        milliseconds: Median milliseconds per image of the file; None if it did not run.
        network_milliseconds: Median milliseconds per image of the network in torch; None if it was
            not measured.
        miou: mIoU of the file, in [0, 1]; None without data.
        network_miou: mIoU of the network, in [0, 1]; None without data.
        data: The data set and split, in words.
        quantisation: How the file was quantised; None if it is not in int8.
        reason: Why the file is rejected; empty if it is not.
    """

    path: Path
    about: ExportedHeader
    source: str
    images: tuple[ImageComparison, ...]
    tolerance: float
    size: int
    milliseconds: float | None = None
    network_milliseconds: float | None = None
    miou: float | None = None
    network_miou: float | None = None
    data: str = ""
    quantisation: Quantisation | None = None
    reason: str = ""

    @property
    def share_different(self) -> float:
        """Share of the clear pixels whose label differs."""
        clear = sum(one.clear for one in self.images)
        return sum(one.different for one in self.images) / max(1, clear)

    @property
    def share_close(self) -> float:
        """Share of all pixels that are not clear: their two largest logits are nearly equal."""
        pixels = sum(one.pixels for one in self.images)
        return 1 - sum(one.clear for one in self.images) / max(1, pixels)

    @property
    def share_different_close(self) -> float:
        """Of the pixels that are not clear, the share whose label differs."""
        close = sum(one.pixels - one.clear for one in self.images)
        return sum(one.different_close for one in self.images) / max(1, close)

    @property
    def largest(self) -> float | None:
        """Largest difference of the other outputs; None if the file gives only labels."""
        found = [one.largest for one in self.images if one.largest is not None]
        return max(found, default=None)

    @property
    def lost(self) -> float | None:
        """The network's mIoU minus the file's; None if it was not measured."""
        if self.miou is None or self.network_miou is None:
            return None
        return self.network_miou - self.miou

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return {
            "file": self.path.name,
            "accepted": not self.reason,
            "reason": self.reason,
            "bytes": self.size,
            "precision": self.about.precision,
            "output": self.about.output,
            "part": self.about.part,
            "scales": list(self.about.scales),
            "size": None if self.about.size is None else str(self.about.size),
            "weights": self.about.fingerprint,
            "images_from": self.source,
            "compared": name_compared(self.about) or "labels",
            "largest_difference": self.largest,
            "share_different": self.share_different,
            "tolerance": self.tolerance,
            "margin": CLOSE,
            "share_close": self.share_close,
            "share_different_of_close": self.share_different_close,
            "milliseconds": self.milliseconds,
            "network_milliseconds": self.network_milliseconds,
            "data": self.data,
            "miou": self.miou,
            "network_miou": self.network_miou,
            "quantisation": None if self.quantisation is None else self.quantisation.to_dict(),
            "images": [_describe_image(one) for one in self.images],
            "machine": describe_machine(),
        }


@dataclass(frozen=True)
class CheckOptions:
    """How a file is checked.

    Attributes:
        images: Pictures that file and network segment.
        source: The pictures' origin, in words.
        data: The split on which mIoU is measured; None for none.
        tolerance: Largest share of the clear pixels whose label may differ; None for the
            precision's default.
    """

    images: Sequence[SampleImage]
    source: str
    data: LabelledData | None = None
    tolerance: float | None = None


def check_export(
    network: SegmentationNetwork,
    path: Path,
    options: CheckOptions,
    quantisation: Quantisation | None = None,
    say: Say | None = None,
) -> ExportReport:
    """Compare a file with its network.

    Args:
        network: The network, in evaluation mode.
        path: The file.
        options: How the file is checked.
        quantisation: How the file was quantised; None if it is not in int8.
        say: Called with the current activity.

    Returns:
        The report, with a ``reason`` if the file exceeds the tolerance or does not run.

    Raises:
        UserError: The data set cannot be opened, or hierseg did not export the file.
    """
    tell = say or (lambda _: None)
    about = read_graph_header(path)
    tolerance = options.tolerance
    tolerance = MOST_DIFFERENT[about.precision] if tolerance is None else tolerance
    reference = Reference(network, about)
    batches = [torch.from_numpy(as_batch(one)) for one in options.images]
    with tempfile.TemporaryDirectory(prefix="hierseg-check-") as name:
        folder = Path(name)
        for index, one in enumerate(options.images):
            np.save(folder / f"{index}.npy", as_batch(one))
        tell("running the file in a new process")
        finding, reason = _run_child(path, folder, len(batches), options.data)
        images: list[ImageComparison] = []
        if finding is not None:
            tell("comparing the file with the network")
            try:
                for index, one in enumerate(options.images):
                    images.append(reference.compare(one, read_given(folder, index)))
            except UserError as error:
                reason = str(error)
    report = ExportReport(
        path,
        about,
        options.source,
        tuple(images),
        tolerance,
        _measure_size(path),
        None if finding is None else finding.milliseconds,
        quantisation=quantisation,
        reason=reason,
    )
    if finding is None or reason:
        return report
    tell("timing the network")
    return judge(_measure_network(report, reference, batches, options.data, finding))


def _measure_network(
    report: ExportReport,
    reference: Reference,
    batches: Sequence[torch.Tensor],
    data: LabelledData | None,
    finding: Finding,
) -> ExportReport:
    report = replace(report, network_milliseconds=reference.time(batches))
    if data is None:
        return report
    with_data = _describe_data(data)
    expected = measure(reference.network, data, report.about.scales)
    return replace(report, miou=finding.miou, network_miou=expected, data=with_data)


def judge(report: ExportReport) -> ExportReport:
    """The report with the reason why its file is rejected; empty if it is not."""
    precision = report.about.precision
    reasons = []
    if report.share_different > report.tolerance:
        reasons.append(
            f"{100 * report.share_different:.3g} % of the clear pixels have another label than the "
            f"network gives, and at most {100 * report.tolerance:.3g} % may"
        )
    largest = report.largest
    if precision == "float32" and largest is not None and not largest <= LARGEST_DIFFERENCE:
        reasons.append(
            f"the largest difference of its {name_compared(report.about)} is {largest:.3g}, and at "
            f"most {LARGEST_DIFFERENCE:g} is allowed"
        )
    if report.lost is not None and report.lost > MOST_LOST[precision]:
        reasons.append(
            f"it loses {100 * report.lost:.2f} points of mIoU, and at most "
            f"{100 * MOST_LOST[precision]:g} may be lost"
        )
    return replace(report, reason="; ".join(reasons))


def reject(path: Path) -> Path:
    """Rename a rejected file, and OpenVINO's ``.bin``, so that it is not used by mistake.

    Returns:
        The new name.
    """
    for file in list_files(path):
        if file.exists():
            file.replace(file.with_name(file.name + ENDING))
    return path.with_name(path.name + ENDING)


def list_files(path: Path) -> list[Path]:
    """The files of an export; OpenVINO has two."""
    return [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]


def name_report(path: Path) -> Path:
    """``FILE.report.json``, beside the file."""
    return path.with_name(path.name + ".report.json")


def write_report(report: ExportReport) -> Path:
    """Write the report as JSON; returns its path."""
    path = name_report(report.path)
    return write_json(path, with_header(report.to_dict(), "export"))


def _run_child(
    path: Path, folder: Path, images: int, data: LabelledData | None
) -> tuple[Finding | None, str]:
    """The measurements of a file in a new process, or the reason why there are none."""
    request = Request(str(path), str(folder), images, torch.get_num_threads(), data)
    command = child_command("-m", "hierseg.exporting.graph_run", json.dumps(asdict(request)))
    found, reason = ask_child(command, folder, LIMIT, "its runtime ")
    return None if found is None else Finding(**found), reason


def _measure_size(path: Path) -> int:
    return sum(file.stat().st_size for file in list_files(path) if file.exists())


def _describe_data(data: LabelledData) -> str:
    first = "" if data.limit is None else f", the first {count(data.limit, 'image')}"
    return f"{data.name} {data.split}{first}"


def _describe_image(one: ImageComparison) -> dict[str, Any]:
    height, width = one.labels.shape
    return {
        "name": one.name,
        "size": f"{height}x{width}",
        "pixels": one.pixels,
        "clear": one.clear,
        "different": one.different,
        "different_of_close": one.different_close,
        "largest_difference": one.largest,
    }


def describe_machine() -> dict[str, Any]:
    """The properties of the machine and its libraries that the figures depend on."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "system": platform.platform(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions,
    }
