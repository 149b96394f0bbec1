"""Writes networks as graphs that other runtimes load."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from hierseg.checkpoint import Header, header_of, load_model
from hierseg.engines import (
    ExportedHeader,
    convert_graph,
    fingerprint,
    read_graph_header,
    trace_graph,
)
from hierseg.errors import MissingExtraError, UsageError, UserError, lacks_memory
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.pixels_to_labels import PixelsToLabels, PixelsToScale
from hierseg.files import move_into_place, replacing
from hierseg.layers import find_ratio
from hierseg.models import ASPP, SegmentationNetwork
from hierseg.options import require_one
from hierseg.size import Size

TRACED = Size(160, 224)
"""Size of the images with which a graph of free size is traced."""
NEEDED = {
    "onnx": ("onnx", ("onnx", "onnxscript", "onnxruntime")),
    "openvino": ("onnx,openvino", ("onnx", "onnxscript", "openvino")),
    "pt2": ("", ()),
}
"""Format -> hierseg's extras for it, and the modules that they install."""

Say = Callable[[str], None]


def export(
    weights: str | Path | SegmentationNetwork,
    out: str | Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008 # frozen
    say: Say | None = None,
) -> Path:
    """Write a network as one graph from pixels to labels, for other runtimes.

    Args:
        weights: A checkpoint file, a run folder, a name of packaged weights, or a network loaded
            from one of these.
        out: The file: ``*.onnx``, ``*.xml`` (with ``*.bin`` beside it), or ``*.pt2``; an existing
            one is replaced.
        options: The graph's options.
        say: Called with the current activity.

    Returns:
        The file. Its input is (B, 3, H, W) uint8 RGB; its first output (B, H, W) uint8 labels.

    Raises:
        UsageError: Options are out of range or exclude each other.
        UserError: There are no such weights, a package is not installed, or the network cannot be
            exported.

    Example:
        hierseg.export("streetlite", "streetlite.onnx")
    """
    options.check(Path(out))
    if options.precision == "int8":
        raise UsageError(
            "--precision int8 needs pictures on which ranges are measured; use `hierseg export "
            "--precision int8`, or hierseg.exporting.export_checked."
        )
    network = weights if isinstance(weights, SegmentationNetwork) else load_model(weights)
    write_graph(network, header_of(network), Path(out), options, say)
    return Path(out)


def write_graph(
    network: SegmentationNetwork,
    header: Header,
    path: Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008 # frozen
    say: Say | None = None,
) -> None:
    """Write a network as a graph. The file is written whole, or stays as it was.

    Args:
        network: The network, in evaluation mode; not changed.
        header: The header for the file's metadata.
        path: The file. OpenVINO also writes ``path`` with the ending ``.bin``.
        options: The graph's options; with int8 the graph is written in float32, to be quantised.
        say: Called with the current activity.

    Raises:
        UsageError: Options are out of range, exclude each other, or do not fit this network.
        UserError: A package is not installed, or the network cannot be exported.
    """
    options.check(path)
    require_installed(options.format)
    about = describe(network, header, options)
    tell = say or (lambda _: None)
    try:
        tell("tracing the network")
        module = _make_module(network, about)
        size = options.size or TRACED
        image = torch.zeros(2, 3, *size, dtype=torch.uint8)
        exported = trace_graph(module.eval(), image, free_size=options.size is None)
        del image
        _WRITERS[options.format](exported, module.names, path, about, tell)
    except (MemoryError, UserError, OSError):
        raise
    except Exception as error:  # whatever a library raises
        if lacks_memory(error):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"this network cannot be exported as {options.format} ({said:.200}); give another "
            "--format."
        ) from error


def describe(
    network: SegmentationNetwork, header: Header, options: ExportOptions
) -> ExportedHeader:
    """The header of a network's graph; UsageError if the options do not fit the network."""
    scale = options.part == "scale"
    scales = options.scales or ((1.0,) if scale else network.scales)
    if scale:
        if network.fusion.passes and scales != (1.0,):
            raise UsageError(
                "--part scale needs scales that can be run alone, and each scale of this network "
                "takes features from the next smaller one; leave --part out."
            )
    elif network.fusion.attends:
        require_one(scales)
        network.fusion.begin(TRACED, scales)  # raises for scales that it cannot fuse
    if options.size is None:
        for one in scales:
            find_ratio(one)
        if any(isinstance(one, ASPP) and one.pool is not None for one in network.modules()):
            raise UsageError(
                "this network's aspp_pool averages smaller windows in small images, which a graph "
                "for any size cannot express; give --size."
            )
    return ExportedHeader(
        header,
        tuple(scales),
        options.output,
        options.precision,
        options.size,
        options.part,
        network.fusion.attends and not scale,
        network.weighs_largest,
        fingerprint(network),
    )


def require_installed(form: str) -> None:
    """MissingExtraError if a format's packages are not installed."""
    extra, modules = NEEDED[form]
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(f"exporting as {form}", extra)


def _make_module(network: SegmentationNetwork, about: ExportedHeader) -> Any:
    half = about.precision == "fp16"
    if about.part == "scale":
        return PixelsToScale(network, about.scales[0], half)
    return PixelsToLabels(network, about.scales, about.output, about.header.temperature, half)


def _write_onnx(
    exported: ExportedProgram, names: list[str], path: Path, about: ExportedHeader, tell: Say
) -> None:
    tell("converting to ONNX")
    program = convert_graph(exported, names)
    program.model.metadata_props.update(about.to_metadata())
    program.model.producer_name = "hierseg"
    _name_sides(program.model.graph)
    tell("writing the file")
    with replacing(path) as part:
        program.save(str(part), external_data=False)


def _name_sides(graph: Any) -> None:
    """Name the free dimensions of images and labels batch, height and width."""
    given = [str(length) for length in graph.inputs[0].shape]
    names = dict(zip(given, ("batch", "channels", "height", "width"), strict=True))
    for value in (*graph.inputs, *graph.outputs):
        for place, length in enumerate(value.shape):
            if not isinstance(length, int) and str(length) in names:
                value.shape[place] = names[str(length)]


def _write_openvino(
    exported: ExportedProgram, names: list[str], path: Path, about: ExportedHeader, tell: Say
) -> None:
    with tempfile.TemporaryDirectory(prefix="hierseg-") as folder:
        graph = Path(folder, "graph.onnx")
        _write_onnx(exported, names, graph, about, tell)
        tell("converting to OpenVINO")
        convert_to_openvino(graph, path)


def convert_to_openvino(graph: Path, path: Path) -> None:
    """Convert an exported ONNX graph to OpenVINO, ``*.xml`` and ``*.bin``."""
    openvino: Any = importlib.import_module("openvino")
    about = read_graph_header(graph)
    # Read directly, since OpenVINO's conversion tool reports its use.
    model = openvino.Core().read_model(str(graph))
    for key, text in about.to_metadata().items():
        model.set_rt_info(text, [key])
    save_openvino(model, path, half=about.precision == "fp16")


def save_openvino(model: Any, path: Path, half: bool = False) -> None:
    """Write an ``openvino.Model`` as ``path`` and, beside it, ``.bin``; both or neither change.

    Args:
        model: The model, with the metadata of an exported graph.
        path: The file, ``*.xml``.
        half: Whether weights are stored in 16 bits.
    """
    openvino: Any = importlib.import_module("openvino")
    with tempfile.TemporaryDirectory(prefix=".hierseg-", dir=path.parent) as folder:
        part = Path(folder, "graph.xml")
        openvino.save_model(model, str(part), compress_to_fp16=half)
        move_into_place(part.with_suffix(".bin"), path.with_suffix(".bin"))
        move_into_place(part, path)


def _write_pt2(
    exported: ExportedProgram, names: list[str], path: Path, about: ExportedHeader, tell: Say
) -> None:
    tell("writing the file")
    for node in exported.graph_module.graph.nodes:
        for key in TOLD:  # they hold paths of this machine
            node.meta.pop(key, None)
    exported._example_inputs = None
    with (
        tempfile.TemporaryDirectory(prefix=".hierseg-", dir=path.parent) as folder,
        warnings.catch_warnings(),
    ):
        part = Path(folder, "graph.pt2")  # whose name is in the archive
        # Of weights that are views of one storage; on a CPU they are written as they are.
        warnings.filterwarnings("ignore", "No complete tensor found")
        torch.export.save(exported, str(part), extra_files=about.to_metadata())
        move_into_place(part, path)


TOLD = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""Metadata in which torch records where a node comes from."""
_WRITERS = {"onnx": _write_onnx, "openvino": _write_openvino, "pt2": _write_pt2}
