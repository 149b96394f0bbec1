"""Runners of ONNX graphs: ONNX Runtime and OpenVINO, on the CPU.

Each has the graph twice: one that makes its own region vectors, and, once they are given for a part
of an image, one that takes them. The attention of a scale that decides nothing is not computed.
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
"""Ending of the graph that takes region vectors, beside that of its own."""


class GraphRunner(ABC):
    """What both engines share: which graph is run, and what is asked of it.

    Args:
        graph: The file, as ``export_scale`` writes it.
        precision: Of the arithmetic.
    """

    name: str

    def __init__(self, graph: Path, precision: str) -> None:
        self.graph, self.precision = graph, precision
        self._made: dict[tuple[bool, bool], tuple[list[str], Run]] = {}
        self._find(attention=False, given=False)  # so that what cannot run fails here

    @abstractmethod
    def _open(self, graph: Path, attention: bool) -> tuple[list[str], Run]:
        """Names of the outputs that are computed, and what computes them."""

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
        """The graph with or without attention, which is given region vectors or makes them."""
        kind = (attention, given)
        if kind not in self._made:
            graph = self._write_with_regions() if given else self.graph
            self._made[kind] = self._open(graph, attention)
        return self._made[kind]

    def _write_with_regions(self) -> Path:
        """The graph that takes region vectors, made of the other where it is not there yet."""
        from hierseg.files import replacing

        path = self.graph.with_suffix(WITH_REGIONS)
        if not path.exists():
            onnx = importlib.import_module("onnx")
            changed = take_regions(onnx.load(str(self.graph), load_external_data=False))
            with replacing(path) as part:
                part.write_bytes(changed.SerializeToString())
        return path


class OnnxRuntimeRunner(GraphRunner):
    """ONNX Runtime; threads are torch's."""

    name = "onnxruntime"

    def _open(self, graph: Path, attention: bool) -> tuple[list[str], Run]:
        runtime: Any = importlib.import_module("onnxruntime")
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        settings.log_severity_level = 3
        session = runtime.InferenceSession(str(graph), settings, providers=["CPUExecutionProvider"])
        names = _choose_outputs([output.name for output in session.get_outputs()], attention)
        how = runtime.RunOptions()
        how.log_severity_level = 3
        with suppress(AttributeError):
            how.only_execute_path_to_fetches = True
        return names, lambda given: session.run(names, given, how)


class OpenVINORunner(GraphRunner):
    """OpenVINO; compiled graphs are kept beside the graph's file.

    Args:
        graph: The file, as ``export_scale`` writes it.
        precision: float32, bf16 or fp16, of which OpenVINO takes as much as the CPU has.
    """

    name = "openvino"

    def _open(self, graph: Path, attention: bool) -> tuple[list[str], Run]:
        openvino: Any = importlib.import_module("openvino")
        core = openvino.Core()
        # Read, never converted by openvino's own tool, which reports its use.
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
                # One for each: by what compiled graphs are found does not tell precisions apart.
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
