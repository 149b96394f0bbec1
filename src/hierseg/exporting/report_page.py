"""The page of an export's report: figures, and pictures of the labels that differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hierseg.exporting.comparison import CLOSE, ImageComparison, name_compared
from hierseg.exporting.report import ExportReport
from hierseg.exporting.samples import SampleImage
from hierseg.labels import LabelSpace
from hierseg.media import render_errors, shrink, write_picture
from hierseg.options import show_scales
from hierseg.ownership import FileRecord
from hierseg.pages import FILE as PAGE
from hierseg.pages import (
    FOLDER,
    LONGEST,
    ImageRecord,
    Page,
    Panel,
    Section,
    render_table,
    write_overlay_panel,
    write_page,
)
from hierseg.wording import count

KINDS = ("image", "network", "file", "errors")


def name_page_folder(path: Path) -> Path:
    """The folder of a file's page."""
    return path.with_name(path.name + ".report")


def require_own_page(path: Path, names: Sequence[str], overwrite: bool) -> None:
    """UsageError if the page would replace files that hierseg did not write."""
    record = FileRecord(name_page_folder(path), "export")
    record.require(_list_files(names), "--out", overwrite)
    record.close()


def write_report_page(
    report: ExportReport, samples: Sequence[SampleImage], overwrite: bool = False
) -> Path:
    """Write ``FILE.report/index.html``.

    Args:
        report: The report.
        samples: The report's images, in the same order.
        overwrite: Replace files that hierseg did not write.

    Returns:
        The page.

    Raises:
        UsageError: There are files that hierseg did not write, and ``overwrite`` is False.
    """
    out = name_page_folder(report.path)
    out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
    record = FileRecord(out, "export")
    files = _list_files([sample.name for sample in samples])
    record.require(files, "--out", overwrite)
    record.add(*files)
    record.close()
    space = report.about.header.label_space
    shown = [] if report.about.part == "scale" else list(report.images)
    page = Page(
        title=f"{report.path.name}: {'rejected' if report.reason else 'accepted'}",
        facts=_list_facts(report),
        label_space=space,
        records=[
            _make_record(sample, one, out, space, report)
            for sample, one in zip(samples, shown, strict=False)
        ],
        notes=_list_notes(report),
        sections=[
            Section("Compared", render_table(("", "network", "file"), _list_rows(report))),
            *_list_kept(report),
        ],
    )
    return write_page(page, out)


def describe_report(report: ExportReport) -> list[str]:
    """The report in words, a line for each subject."""
    lines = []
    if report.images:
        lines.append(
            f"labels: {_share(report.share_different)} of the clear pixels differ, and at most "
            f"{_share(report.tolerance)} may. The two largest logits of a clear pixel differ by "
            f"{CLOSE:g} or more. {_share(report.share_close)} of all pixels are not clear; of "
            f"these, {_share(report.share_different_close)} differ."
        )
    compared = name_compared(report.about)
    if report.largest is not None:
        lines.append(f"{compared}: the largest difference is {report.largest:.2g}.")
    elif report.images:
        lines.append("the file gives labels only, so nothing else was compared.")
    if report.milliseconds is not None and report.network_milliseconds is not None:
        lines.append(
            f"time per image: {report.milliseconds:.0f} ms for the file, "
            f"{report.network_milliseconds:.0f} ms for the network in torch."
        )
    if report.miou is not None and report.network_miou is not None:
        lines.append(
            f"mIoU on {report.data}: {report.miou:.4f} of the file, {report.network_miou:.4f} of "
            "the network."
        )
    elif report.about.precision == "int8" and report.images:
        lines.append(
            "the loss of mIoU by int8 is unknown, because no labelled data set was given; give one "
            "with --data and --root."
        )
    return lines + _describe_quantisation(report)


def _describe_quantisation(report: ExportReport) -> list[str]:
    made = report.quantisation
    if made is None:
        return []
    kept = sum(one.layers for one in made.kept)
    said = (
        f"int8: {made.tool} quantised {made.layers - kept} of {count(made.layers, 'layer')}, with "
        f"ranges from {count(made.measured, 'image')} of {made.source}"
    )
    if not made.kept:
        return [f"{said}; no layer had to stay in float32."]
    names = ", ".join(one.name for one in made.kept)
    return [
        f"{said}. Left in float32: {names}. This raised the share of labels equal to float32's "
        f"from {_share(made.agreement_of_all)} to {_share(made.agreement)} on "
        f"{count(made.judged, 'image')}."
    ]


def _share(value: float) -> str:
    """A share in per cent, with enough digits for small ones; ``0 %`` only for zero."""
    if value == 0:
        return "0 %"
    return f"{100 * value:.2f} %" if abs(value) >= 0.001 else f"{100 * value:.2g} %"


def _list_facts(report: ExportReport) -> list[str]:
    about = report.about
    size = "any size" if about.size is None else str(about.size)
    return [
        about.precision,
        f"scales {show_scales(about.scales)}",
        size,
        f"gives {'a scale' if about.part == 'scale' else about.output}",
        f"{report.size / 1e6:.1f} MB",
        f"{count(len(report.images), 'image')} from {report.source}",
    ]


def _list_notes(report: ExportReport) -> list[str]:
    verdict = [f"Rejected: {report.reason}."] if report.reason else []
    return [*verdict, *(_begin(line) for line in describe_report(report))]


def _begin(line: str) -> str:
    """A sentence with a capital first letter, unless it begins with a name."""
    return line if line.startswith("mIoU") else line[0].upper() + line[1:]


def _list_rows(report: ExportReport) -> list[tuple[str, str, str]]:
    def show(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    compared = name_compared(report.about)
    rows = [
        ("milliseconds per image", show(report.network_milliseconds, ".0f"),
         show(report.milliseconds, ".0f")),
        ("size", "", f"{report.size:,} bytes"),
        ("clear pixels with another label", "", _share(report.share_different)),
        ("pixels that are not clear", _share(report.share_close), ""),
        ("of these with another label", "", _share(report.share_different_close)),
    ]  # fmt: skip
    if report.largest is not None:
        rows.append((f"largest difference of {compared}", "", f"{report.largest:.3g}"))
    if report.miou is not None:
        rows.append(
            (f"mIoU on {report.data}", show(report.network_miou, ".4f"), show(report.miou, ".4f"))
        )
    return rows


def _list_kept(report: ExportReport) -> list[Section]:
    made = report.quantisation
    if made is None or not made.kept:
        return []
    rows = [(one.name, str(one.layers), _share(one.gain)) for one in made.kept]
    heading = ("group", "layers", "labels restored by this group alone")
    return [Section("Left in float32", render_table(heading, rows))]


def _make_record(
    sample: SampleImage, one: ImageComparison, out: Path, space: LabelSpace, report: ExportReport
) -> ImageRecord:
    image = sample.pixels
    wrong = render_errors(image, one.found, one.labels, -1)
    paths = [
        ("image", "image", write_picture(_place(out, one, "image"), shrink(image, LONGEST))),
        ("overlay", "network", _overlay(sample, one.labels, space, out, "network")),
        ("overlay", "file", _overlay(sample, one.found, space, out, "file")),
        ("errors", "labels that differ", write_picture(_place(out, one, "errors"),
                                                       shrink(wrong, LONGEST))),
    ]  # fmt: skip
    height, width = one.labels.shape
    counts = np.bincount(one.found.ravel(), minlength=space.num_classes) / one.pixels
    shares = {name: float(share) for name, share in zip(space.names, counts, strict=False) if share}
    return ImageRecord(
        source=report.source,
        bytes=0,
        modified=0,
        name=one.name,
        height=height,
        width=width,
        confidence=None,
        shares=dict(sorted(shares.items(), key=lambda item: -item[1])),
        seconds=0.0,
        files=[],
        panels=[
            Panel(kind, caption, path.relative_to(out).as_posix()) for kind, caption, path in paths
        ],
        facts=[f"{count(one.different + one.different_close, 'pixel')} with another label"],
    )


def _place(out: Path, one: ImageComparison, kind: str) -> Path:
    return out / FOLDER / f"{one.name}_{kind}.jpg"


def _overlay(
    sample: SampleImage, labels: npt.NDArray[np.uint8], space: LabelSpace, out: Path, kind: str
) -> Path:
    return write_overlay_panel(sample.pixels, labels, space, out, f"{sample.name}_{kind}")


def _list_files(names: Sequence[str]) -> list[str]:
    return [PAGE, *(f"{FOLDER}/{name}_{kind}.jpg" for name in names for kind in KINDS)]
