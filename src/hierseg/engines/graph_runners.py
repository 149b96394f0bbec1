"""Runners of ONNX graphs: ONNX Runtime and OpenVINO, on the CPU.

Each has the graph in two forms: one computes its region vectors, the other, made when it is first
needed, is given them for a part of an image. Attention that is not used is not computed.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.engines.graphs import OUTPUTS, take_regions
from hierseg.models import ScaleOutput

Arrays = dict[str, npt.NDArray[np.float32]]
Run = Callable[[Arrays], Sequence[npt.NDArray[np.float32]]]
WITH_REGIONS = ".regions.onnx"
"""Ending of the graph that is given region vectors, beside the other graph."""


class GraphRunner(ABC):
    """What both engines share: the choice of graph and of outputs.

    Args:
        graph: A file of ``export_scale``.
        precision: Precision of the arithmetic.
    """

    name: str

    def __init__(self, graph: Path, precision: str) -> None:
        self.graph, self.precision = graph, precision
        self._made: dict[tuple[bool, bool], tuple[list[str], Run]] = {}
        self._find(attention=False, given=False)  # a graph that cannot run fails here

    @abstractmethod
    def _open(self, graph: Path, attention: bool) -> tuple[list[str], Run]:
        """Names of the computed outputs, and the function that computes them."""

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """See ``ScaleRunner``."""
        names, run = self._find(attention, regions is not None)
        given = {"image": _as_array(image)}
        if regions is not None:
            given["given_regions"] = _as_array(regions)
        found: dict[str, Tensor | None] = dict.fromkeys((*OUTPUTS, "auxiliary"))
        for name, values in zip(names, run(given), strict=True):
            found[name] = torch.from_numpy(values)
        if regions is not None:
            found["regions"] = regions
        return ScaleOutput(**found)  # type: ignore[arg-type] # there are always logits

    def _find(self, attention: bool, given: bool) -> tuple[list[str], Run]:
        """The graph with or without attention, given region vectors or computing them."""
        kind = (attention, given)
        if kind not in self._made:
            graph = self._write_with_regions() if given else self.graph
            self._made[kind] = self._open(graph, attention)
        return self._made[kind]

    def _write_with_regions(self) -> Path:
        """The graph that is given region vectors; made from the other one if it does not exist."""
        from hierseg.files import replacing

        path = self.graph.with_suffix(WITH_REGIONS)
        if not path.exists():
            onnx = importlib.import_module("onnx")
            changed = take_regions(onnx.load(str(self.graph), load_external_data=False))
            with replacing(path) as part:
                part.write_bytes(changed.SerializeToString())
        return path


def open_onnx(graph: str | bytes, severity: int) -> Any:
    """ONNX Runtime's session of a file or its content, on the CPU, with as many threads as torch.

    Threads that wait sleep at once. By default they spin first, for a millisecond or more and after
    a run too, which takes processors from what is done between images and from other programs.

    Args:
        graph: Path or bytes.
        severity: The least grave message that is printed; 3 is an error, 4 a fatal one.
    """
    runtime: Any = importlib.import_module("onnxruntime")
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = severity
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"])


class OnnxRuntimeRunner(GraphRunner):
    """ONNX Runtime, with as many threads as torch."""

    name = "onnxruntime"

    def _open(self, graph: Path, attention: bool) -> tuple[list[str], Run]:
        runtime: Any = importlib.import_module("onnxruntime")
        session = open_onnx(str(graph), severity=3)
        names = _choose_outputs([output.name for output in session.get_outputs()], attention)
        how = runtime.RunOptions()
        how.log_severity_level = 3
        with suppress(AttributeError):
            how.only_execute_path_to_fetches = True
        return names, lambda given: session.run(names, given, how)


class OpenVINORunner(GraphRunner):
    """OpenVINO; compiled graphs are cached beside the graph's file.

    Args:
        graph: A file of ``export_scale``.
        precision: float32, bf16 or fp16; OpenVINO uses it as far as the CPU supports it.
    """

    name = "openvino"

    def _open(self, graph: Path, attention: bool) -> tuple[list[str], Run]:
        openvino: Any = importlib.import_module("openvino")
        core = openvino.Core()
        # Read directly, since OpenVINO's conversion tool reports its use.
        model = core.read_model(str(graph))
        present = [output.any_name for output in model.outputs]
        names = _choose_outputs(present, attention)
        if names != present:
            results = [
                output.node for name in names for output in model.outputs if output.any_name == name
            ]
            model = openvino.Model(results, model.get_parameters(), "scale")
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
                # One folder for each, since the key of compiled graphs has no precision in it.
                "CACHE_DIR": str(graph.parent / f"openvino-{self.precision}"),
            },
        )
        request = compiled.create_infer_request()
        order = [compiled.output(name) for name in names]

        def run(given: Arrays) -> list[npt.NDArray[np.float32]]:
            request.infer(given, share_inputs=True)
            return [np.array(request.get_tensor(output).data) for output in order]

        return names, run


_HINTS = {"float32": "f32", "bf16": "bf16", "fp16": "f16"}


def _choose_outputs(present: Sequence[str], attention: bool) -> list[str]:
    return [name for name in present if attention or name != "attention"]


def _as_array(tensor: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().contiguous().float().cpu().numpy()
    return array
