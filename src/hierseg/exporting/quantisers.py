"""Quantise an exported graph from float32 to int8: NNCF for OpenVINO, ONNX Runtime's tool for ONNX.

Only convolutions are quantised; they do nearly all of the work. Resizing, attention over regions
and the fusion of scales stay in float32, since rounding them to 8 bits changes many labels.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.errors import MissingExtraError
from hierseg.exporting.writing import save_openvino

Batch = npt.NDArray[np.uint8]
"""(1, 3, H, W) RGB."""
TELEMETRY = "openvino_telemetry"
"""The module by which nncf reports its use to a server; nncf works without it."""


class Quantiser(ABC):
    """Measures the ranges of a graph once, and writes it with any choice of layers in float32.

    Args:
        path: The graph in float32.

    Attributes:
        tool: Name of the tool.
        layers: Name of a layer -> its convolutions, one for each scale.
    """

    tool: str

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layers: dict[str, list[str]] = {}

    @abstractmethod
    def calibrate(self, images: Sequence[Batch]) -> None:
        """Measure the ranges of values over images."""

    @abstractmethod
    def write(self, path: Path, kept: Collection[str] = ()) -> None:
        """Write the graph in int8, with the layers of ``kept`` in float32."""

    def _list_nodes(self, kept: Collection[str]) -> set[str]:
        return {node for name in kept for node in self.layers[name]}

    def _add(self, weights: str, node: str) -> None:
        self.layers.setdefault(name_layer(weights), []).append(node)


def require_quantiser(form: str) -> None:
    """MissingExtraError if the quantiser of a format is not installed."""
    needed, extra = ("onnxruntime", "onnx") if form == "onnx" else ("nncf", "onnx,openvino,int8")
    if importlib.util.find_spec(needed) is None:
        raise MissingExtraError(f"--precision int8 as {form}", extra)


def open_quantiser(form: str, path: Path) -> Quantiser:
    """The quantiser of a format, which must be installed."""
    return OnnxQuantiser(path) if form == "onnx" else OpenVINOQuantiser(path)


def name_layer(weights: str) -> str:
    """The name of a layer, from the name of its weights."""
    return weights.removeprefix("network.").removesuffix(".weight")


class OnnxQuantiser(Quantiser):
    """ONNX Runtime's static quantisation, as pairs of QuantizeLinear and DequantizeLinear."""

    tool = "ONNX Runtime"
    types = ("Conv", "Relu", "Clip")
    """Nodes that are quantised; Relu and Clip are merged into the convolution before them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._onnx: Any = importlib.import_module("onnx")
        self._ranges: Any = None
        model = self._onnx.load(str(path))
        stored = {tensor.name for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Conv" and node.input[1] in stored:
                self._add(node.input[1], node.name)

    def calibrate(self, images: Sequence[Batch]) -> None:
        """See ``Quantiser``."""
        tools: Any = importlib.import_module("onnxruntime.quantization")
        calibrating: Any = importlib.import_module("onnxruntime.quantization.calibrate")
        rest = iter(images)

        class Reader(tools.CalibrationDataReader):  # type: ignore[misc]
            def get_next(self) -> Mapping[str, Batch] | None:
                image = next(rest, None)
                return None if image is None else {"image": image}

        with tempfile.TemporaryDirectory(prefix="hierseg-") as folder, _quiet():
            calibrator = calibrating.create_calibrator(
                self.path,
                list(self.types),
                augmented_model_path=str(Path(folder, "ranges.onnx")),
                calibrate_method=tools.CalibrationMethod.MinMax,
            )
            calibrator.collect_data(Reader())
            self._ranges = calibrator.compute_data()

    def write(self, path: Path, kept: Collection[str] = ()) -> None:
        """See ``Quantiser``."""
        tools: Any = importlib.import_module("onnxruntime.quantization")
        writing: Any = importlib.import_module("onnxruntime.quantization.qdq_quantizer")
        with _quiet():
            quantizer = writing.QDQQuantizer(
                self._onnx.load(str(self.path)),
                per_channel=True,
                reduce_range=False,
                weight_qType=tools.QuantType.QInt8,
                activation_qType=tools.QuantType.QUInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=sorted(self._list_nodes(kept)),
                op_types_to_quantize=list(self.types),
                extra_options={},
            )
            quantizer.quantize_model()
        path.write_bytes(quantizer.model.model.SerializeToString())


class OpenVINOQuantiser(Quantiser):
    """NNCF's post-training quantisation."""

    tool = "NNCF"
    types = ("Convolution", "GroupConvolution")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._openvino: Any = importlib.import_module("openvino")
        self._plain = self._read()
        self._whole: Any = None
        self._weights: dict[str, Any] = {}
        for node in self._plain.get_ordered_ops():
            if node.get_type_name() in self.types:
                constant = node.input_value(1).get_node()
                while constant.get_type_name() != "Constant" and constant.get_input_size():
                    constant = constant.input_value(0).get_node()
                shape = node.input_value(1).get_partial_shape()
                if constant.get_type_name() != "Constant" or not shape.is_static:
                    continue
                if constant.data.size == np.prod(list(shape.to_shape())):
                    self._add(constant.get_friendly_name(), node.get_friendly_name())
                    weights = constant.data.reshape(list(shape.to_shape()))
                    self._weights[node.get_friendly_name()] = weights

    def _read(self) -> Any:
        return self._openvino.Core().read_model(str(self.path))

    def calibrate(self, images: Sequence[Batch]) -> None:
        """See ``Quantiser``."""
        nncf = import_nncf()
        others = {node.get_type_name() for node in self._plain.get_ops()} - {*self.types}
        with _quiet():
            self._whole = nncf.quantize(
                self._read(),
                nncf.Dataset(list(images)),
                subset_size=len(images),
                preset=nncf.QuantizationPreset.MIXED,
                ignored_scope=nncf.IgnoredScope(types=sorted(others), validate=False),
                # Biases corrected for all layers together would be wrong if some stay in float32.
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    disable_bias_correction=True
                ),
            )

    def write(self, path: Path, kept: Collection[str] = ()) -> None:
        """See ``Quantiser``."""
        model, nodes = self._whole.clone(), self._list_nodes(kept)
        for node in model.get_ordered_ops():
            if node.get_friendly_name() in nodes and node.get_type_name() in self.types:
                source = node.input_value(0).get_node()
                if source.get_type_name() == "FakeQuantize":
                    node.input(0).replace_source_output(source.input_value(0))
                weights = self._openvino.op.Constant(self._weights[node.get_friendly_name()])
                node.input(1).replace_source_output(weights.output(0))
        for key, value in self._plain.rt_info.items():
            if key.startswith("hierseg"):
                model.set_rt_info(value.astype(str), [key])
        save_openvino(model, path)


def import_nncf() -> Any:
    """The module nncf; its telemetry is never imported."""
    held = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment] # makes an import of it fail
    try:
        nncf = importlib.import_module("nncf")
    finally:
        del sys.modules[TELEMETRY]
        if held is not None:
            sys.modules[TELEMETRY] = held
    wrapper: Any = importlib.import_module("nncf.telemetry.wrapper")
    decorator: Any = importlib.import_module("nncf.telemetry.decorator")
    silent = wrapper.NNCFTelemetryStub()  # also if nncf was imported before
    wrapper.telemetry = decorator.telemetry = silent
    return nncf


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries' messages about each layer."""
    logger = logging.getLogger("nncf")
    levels = logger.level, logging.root.manager.disable
    logger.setLevel(logging.ERROR)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(levels[0])
        logging.disable(levels[1])
