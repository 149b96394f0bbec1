"""Makes each engine's runner for a network."""

from __future__ import annotations

from pathlib import Path

from hierseg.engines.cache import EngineCache
from hierseg.engines.fingerprints import fingerprint
from hierseg.engines.graph_runners import GraphRunner, OnnxRuntimeRunner, OpenVINORunner
from hierseg.engines.graphs import export_scale
from hierseg.engines.modules import CompiledRunner, ModuleRunner
from hierseg.models import ExplicitFusion, PairedFusion, SegmentationNetwork


def make_modules(network: SegmentationNetwork, precision: str) -> ModuleRunner:
    """Torch's modules, one after the other."""
    return ModuleRunner(network, precision)


def make_compiled(network: SegmentationNetwork, precision: str) -> CompiledRunner:
    """The same, compiled by torch."""
    return CompiledRunner(network, precision)


def make_openvino(network: SegmentationNetwork, precision: str) -> GraphRunner:
    """A graph, by OpenVINO."""
    return OpenVINORunner(find_graph(network), precision)


def make_onnxruntime(network: SegmentationNetwork, precision: str) -> GraphRunner:
    """A graph, by ONNX Runtime."""
    return OnnxRuntimeRunner(find_graph(network), precision)


def find_graph(network: SegmentationNetwork) -> Path:
    """The network's graph from the cache, exported first if it is not there."""
    features = needs_features(network)

    def write(path: Path) -> None:
        export_scale(network, path, features)

    kind = "with features" if features else "without features"
    return EngineCache().find_graph(fingerprint(network), kind, write)


def needs_features(network: SegmentationNetwork) -> bool:
    """Whether the fusion or a gate needs the head's features."""
    return (
        isinstance(network.fusion, ExplicitFusion | PairedFusion)
        or getattr(network, "gate", None) is not None
    )
