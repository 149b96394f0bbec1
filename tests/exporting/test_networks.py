"""Every network of the registry, exported once, at any size and batch, against the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hierseg.checkpoint.format import FORMAT_VERSION, Header
from hierseg.engines.exported_engine import ExportedEngine
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.writing import convert_to_openvino, write_graph
from hierseg.labels import LabelSpace
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model, list_models
from hierseg.options import WHOLE
from models import network_tester, test_networks

CLASSES = 5
SPACE = LabelSpace(
    "five", tuple("abcde"), tuple((i, i, i) for i in range(CLASSES)), tuple(range(CLASSES))
)
SIZES = [(1, 97, 131), (2, 97, 131), (1, 64, 160), (2, 64, 160)]
"""Batch, height and width."""
MARGIN = 1e-3
SHARE = 0.9999
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")


def list_testers() -> dict[str, dict[str, Any]]:
    """Network -> the arguments by which its other tests have it at a reduced width."""
    testers = [network_tester.NetworkTester]
    for tester in testers:
        testers.extend(tester.__subclasses__())
    found = {getattr(tester, "name", ""): tester.overrides for tester in testers}
    assert test_networks.list_models() == list_models()
    # Windows that are pooled are for graphs of one size: tests/exporting/test_writing.py.
    return {
        name: {key: value for key, value in found[name].items() if key != "aspp_pool"}
        for name in list_models()
    }


def make_network(name: str, overrides: dict[str, Any]) -> SegmentationNetwork:
    torch.manual_seed(0)
    network = create_model(name, CLASSES, **overrides)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


def make_header(network: SegmentationNetwork) -> Header:
    return Header(
        FORMAT_VERSION,
        network.builder or "",
        network.builder_arguments,
        SPACE,
        network.scales,
        network.align_corners,
    )


def share_equal(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Of the pixels whose best two classes lie apart."""
    top = logits.topk(2, dim=1).values
    sure = top[:, 0] - top[:, 1] > MARGIN
    assert sure.float().mean() > 0.5
    return float((labels == logits.argmax(1))[sure].float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_labels_are_those_of_the_network(name: str, tmp_path: Path) -> None:
    network = make_network(name, list_testers()[name])
    path = tmp_path / "graph.onnx"
    write_graph(network, make_header(network), path, ExportOptions(output="logits"))
    other = tmp_path / "graph.xml"
    convert_to_openvino(path, other)
    engines = [ExportedEngine(path), ExportedEngine(other)]
    generator = torch.Generator().manual_seed(1)
    for batch, height, width in SIZES:
        images = torch.randint(
            0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=generator
        )
        with torch.inference_mode():
            expected = network(images).logits
        for engine in engines:
            labels = engine.decide(images).labels
            assert share_equal(expected, labels) >= SHARE, (engine.name, height, width)
            logits = engine.run(images, WHOLE).logits
            bound = 1e-3 * float(expected.abs().max())
            np.testing.assert_allclose(logits, expected, atol=bound, rtol=0)
