"""`hierseg export`: write a model as one graph, from pixels to labels, for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.commands.export_checks import PLAIN, CheckFlags, tell_report
from hierseg.commands.places import check_place
from hierseg.errors import UsageError, make_printable
from hierseg.options import GraphOutput, GraphPart
from hierseg.size import Size

if TYPE_CHECKING:
    from hierseg.exporting import ExportOptions

FORMATS = {".onnx": "onnx", ".xml": "openvino", ".pt2": "pt2"}


def export(
    *,
    out: Path,
    format: Literal["onnx", "openvino", "pt2"] | None = None,
    weights: str | None = None,
    size: Size | None = None,
    dynamic: bool = False,
    scales: tuple[float, ...] | None = None,
    output: GraphOutput = "labels",
    precision: Literal["float32", "fp16", "int8"] = "float32",
    part: GraphPart = "whole",
    checks: CheckFlags = PLAIN,
    overwrite: bool = False,
) -> int:
    """Write a model as one graph that another runtime loads: pixels in, labels out.

    Its input is uint8 RGB, (batch, 3, height, width); its first output the labels, (batch, height,
    width). Normalising, resizing, scales, attention and fusion are inside. The file is weights like
    any other: `hierseg predict --weights FILE`.

    The file is then loaded in its own runtime, in a fresh process, and compared with the network on
    pictures; FILE.report.json and FILE.report/index.html say how far they agree. Exit status: 0
    where they do, 1 where they do not, and the file is renamed to FILE.rejected; 2 wrong usage.

    Args:
        out: The file to write: *.onnx for ONNX; *.xml for OpenVINO, with *.bin beside it; *.pt2 for
            torch.
        format: onnx, openvino or pt2; by default what the name of the file says.
        weights: Checkpoint file, run folder, or packaged weights; by default streetlite.
        size: HEIGHTxWIDTH of the images that the graph takes; by default any from 32x32 on.
        dynamic: Take images of any size; this is the default.
        scales: Scales of the image; by default the weights' own.
        output: labels alone; confidence, also the probability of each label; or logits, also those
            of all classes.
        precision: float32; fp16, which halves the file; or int8, whose ranges of values are
            measured on --calibrate or --data, and whose least accurate layers stay in float32.
        part: whole; or scale, to fuse scales yourself: the logits, attention and features of one
            scale (such as --scales 0.5), at the network's own stride.
        checks: How the file is compared with the network.
        overwrite: Replace the file and its report, whatever wrote them.
    """
    options = _choose(out, format, size, dynamic, scales, output, precision, part)
    _check_places(out, weights, overwrite)
    checks.check_paths()
    from hierseg.commands.progress import announce, announce_steps

    with announce("loading the weights"):
        from hierseg.checkpoint import header_of, load_model
        from hierseg.exporting import export_checked, require_installed

        resolved = checks.resolve()
        resolved.check(options)
        require_installed(options.format)
        network = load_model(weights)
    with announce_steps() as say:
        report = export_checked(network, header_of(network), out, options, resolved, overwrite, say)
    print(make_printable(f"{out}: {report.size / 1e6:.1f} MB"))
    return tell_report(report)


def _choose(
    out: Path,
    form: Literal["onnx", "openvino", "pt2"] | None,
    size: Size | None,
    dynamic: bool,
    scales: tuple[float, ...] | None,
    output: GraphOutput,
    precision: Literal["float32", "fp16", "int8"],
    part: GraphPart,
) -> ExportOptions:
    from hierseg.exporting import ExportOptions

    if dynamic and size is not None:
        raise UsageError("--size and --dynamic exclude each other; give one of them.")
    chosen = form or FORMATS.get(out.suffix)
    if chosen is None:
        raise UsageError(
            f"--out {out} does not say what to write; name it *.onnx, *.xml (OpenVINO) or *.pt2, "
            "or give --format."
        )
    options = ExportOptions(chosen, size, scales, output, precision, part)  # type: ignore[arg-type]
    options.check(out)
    return options


def _check_places(out: Path, weights: str | None, overwrite: bool) -> None:
    from hierseg.checkpoint import find_weights
    from hierseg.engines import read_graph_header
    from hierseg.errors import UserError

    check_place("--out", out)
    if find_weights(weights).resolve() == out.resolve():
        raise UsageError(f"--out {out} is the file of --weights; name another one.")
    if overwrite or not out.exists():
        return
    try:
        read_graph_header(out)
    except UserError as error:
        raise UsageError(
            f"--out {out} is there, and it is not a graph that hierseg has exported; choose "
            "another file, or add --overwrite."
        ) from error
