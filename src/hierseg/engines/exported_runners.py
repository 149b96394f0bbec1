"""Runs exported graphs by ONNX Runtime, OpenVINO or torch, all on the CPU."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from hierseg.checkpoint import open_checkpoint
from hierseg.engines.exported_files import LARGEST_ONNX, damaged, require_room
from hierseg.engines.exported_header import ExportedHeader
from hierseg.engines.graph_runners import open_onnx
from hierseg.errors import UserError, lacks_memory

Pixels = npt.NDArray[np.uint8]
Arrays = Sequence[npt.NDArray[Any]]


class GraphSession(Protocol):
    """An opened exported graph."""

    name: str
    """Name of the engine that runs it."""

    def run(self, images: Pixels) -> Arrays:
        """(B, 3, H, W) uint8 RGB to the graph's outputs, labels first."""


def find_runner(path: str | Path) -> str:
    """Name of the engine that runs files of this kind."""
    return _KINDS[Path(path).suffix.lower()].name


def open_session(path: Path, about: ExportedHeader) -> GraphSession:
    """Open an exported graph by the library for its kind of file.

    Raises:
        UserError: The library is not installed, or cannot read the file.
    """
    kind = _KINDS[path.suffix.lower()]
    for module in kind.modules:
        if importlib.util.find_spec(module) is None:
            raise UserError(
                f"{path} needs {module}, which is not installed; install it with "
                f"pip install 'hierseg[{kind.extra}]'."
            )
    try:
        session: GraphSession = kind(path, about)
        return session
    except (MemoryError, UserError):
        raise
    except Exception as error:  # whatever a library raises
        if lacks_memory(error):
            raise
        said = _shorten(error)
        raise UserError(
            f"{path} cannot be opened by {kind.title} ({said}); export it again with the "
            "versions installed here."
        ) from error


class _OnnxSession:
    """An ONNX file, run by ONNX Runtime with as many threads as torch."""

    name, title, extra, modules = "onnxruntime", "ONNX Runtime", "onnx", ("onnx", "onnxruntime")

    def __init__(self, path: Path, about: ExportedHeader) -> None:
        runtime: Any = importlib.import_module("onnxruntime")
        # The session is made of the bytes that were checked, even if the file changes meanwhile.
        self._session = open_onnx(_read_checked(path), severity=4)
        self._how = runtime.RunOptions()
        self._how.log_severity_level = 4
        self._input = self._session.get_inputs()[0].name

    def run(self, images: Pixels) -> Arrays:
        """See ``GraphSession``."""
        found: Arrays = self._session.run(None, {self._input: images}, self._how)
        return found


def _read_checked(path: Path) -> bytes:
    """The bytes of an ONNX file; UserError if some of its tensors are in other files."""
    onnx: Any = importlib.import_module("onnx")
    helper: Any = importlib.import_module("onnx.external_data_helper")
    with open_checkpoint(path) as (file, size):
        if size > LARGEST_ONNX:
            raise damaged(path, ": it is larger than a file of ONNX can be")
        require_room(path, size)
        content = file.read()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # of protobuf's own
        raise damaged(path) from error
    for tensor in helper._get_all_tensors(model):
        if helper.uses_external_data(tensor):
            raise UserError(
                f"{path} has tensors in other files, which are not read; export it again, or bring "
                "them into one file with onnx.save."
            )
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > newest:
            raise UserError(
                f"{path} has opset {opset.version}, and the installed onnx reads up to {newest}; "
                "install a newer onnx and onnxruntime, or export it again."
            )
    return content


class _OpenVINOSession:
    """An OpenVINO file with its ``.bin``, run with as many threads as torch."""

    name, title, extra, modules = "openvino", "OpenVINO", "openvino", ("openvino",)

    def __init__(self, path: Path, about: ExportedHeader) -> None:
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise UserError(
                f"{path} has no {weights.name} beside it, which holds its weights; copy both files."
            )
        with open_checkpoint(weights) as (_, size):
            require_room(path, size)
        openvino: Any = importlib.import_module("openvino")
        core = openvino.Core()
        model = core.read_model(str(path), str(weights))
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        self._request = compiled.create_infer_request()
        self._outputs = list(compiled.outputs)

    def run(self, images: Pixels) -> Arrays:
        """See ``GraphSession``."""
        self._request.infer([images], share_inputs=True)
        return [np.array(self._request.get_tensor(output).data) for output in self._outputs]


class _TorchSession:
    """A file of torch.export, run by torch."""

    name, title, extra, modules = "torch", "torch", "", ()

    def __init__(self, path: Path, about: ExportedHeader) -> None:
        from hierseg.engines.exported_programs import check_program

        with open_checkpoint(path) as (file, size):
            require_room(path, size)
            check_program(file, path)
        importlib.import_module("hierseg.engines.graphs")  # one of its operations may be in it
        try:
            with _quietly("torch.export"):  # which logs what is raised, over pages
                program = torch.export.load(str(path))
        except RuntimeError as error:
            if lacks_memory(error):
                raise
            raise UserError(
                f"{path} cannot be read by torch {torch.__version__}: another release wrote it, or "
                "it is damaged; export it again."
            ) from error
        self._module: Any = program.module(check_guards=False)

    @torch.inference_mode()
    def run(self, images: Pixels) -> Arrays:
        """See ``GraphSession``."""
        return [found.numpy() for found in self._module(torch.from_numpy(images))]


_KINDS: dict[str, type[_OnnxSession | _OpenVINOSession | _TorchSession]] = {
    ".onnx": _OnnxSession,
    ".xml": _OpenVINOSession,
    ".pt2": _TorchSession,
}


@contextmanager
def _quietly(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _shorten(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = re.sub(r"\s+", " ", lines[-1] if lines else type(error).__name__)
    return said[:200].rstrip(". ")
