"""int8: layers that lose most stay in float32, and nothing is told to the internet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg.checkpoint import Header
from hierseg.engines import ExportedEngine, read_graph_header
from hierseg.errors import UsageError, UserError
from hierseg.exporting import quantising
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.quantisers import Batch, Quantiser
from hierseg.exporting.quantising import LayerSearch, group_layers, write_quantised
from hierseg.exporting.samples import SampleImage, draw_samples
from hierseg.models import SegmentationNetwork
from hierseg.size import Size


@pytest.fixture(scope="module")
def samples() -> list[SampleImage]:
    return draw_samples(Size(64, 96))


class MadeQuantiser(Quantiser):
    """Whose layers spoil so many pixels of a hundred, unless they are kept."""

    tool = "made"

    def __init__(self, path: Path, costs: dict[str, int]) -> None:
        super().__init__(path)
        self.costs = costs
        self.layers = {name: [name] for name in costs}
        self.kept: set[str] = set(costs)

    def calibrate(self, images: Sequence[Batch]) -> None: ...

    def write(self, path: Path, kept: Collection[str] = ()) -> None:
        self.kept = set(kept)


class MadeSearch(LayerSearch):
    def _run(self, path: Path) -> list[np.ndarray]:  # type: ignore[type-arg]
        quantiser = self.quantiser
        assert isinstance(quantiser, MadeQuantiser)
        wrong = sum(cost for name, cost in quantiser.costs.items() if name not in quantiser.kept)
        return [np.r_[np.ones(wrong, np.uint8), np.zeros(100 - wrong, np.uint8)]]


def search(costs: dict[str, int]) -> tuple[list[str], float, float, set[str]]:
    quantiser = MadeQuantiser(Path("graph.onnx"), costs)
    kept, whole, final = MadeSearch(quantiser, Path(), [], lambda _: None).run()
    return [one.name for one in kept], whole, final, quantiser.kept


def test_the_worst_layers_stay_until_enough_labels_are_equal() -> None:
    costs = {"a": 1, "b": 30, "c": 0, "d": 10, "e": 0, "f": 0, "g": 0, "h": 0, "i": 0}
    kept, whole, final, written = search(costs)
    assert kept == ["b", "d", "a"]
    assert (whole, final) == (0.59, 1.0)
    assert written == {"a", "b", "d"}  # the file that is left is that of the answer


def test_no_layer_stays_where_all_agree() -> None:
    assert search({"a": 0, "b": 0}) == ([], 1.0, 1.0, set())


def test_at_most_a_third_stays() -> None:
    kept, _, final, _ = search({"a": 9, "b": 8, "c": 7, "d": 6, "e": 5, "f": 4})
    assert kept == ["a", "b"]
    assert final == pytest.approx(0.78)


def test_groups_are_as_small_as_so_many_allow() -> None:
    layers = ["trunk.stem", *(f"trunk.blocks.{i}.{j}" for i in range(3) for j in "xy"), "head.a"]
    assert list(group_layers(layers, 3)) == ["head", "trunk.blocks", "trunk.stem"]
    assert list(group_layers(layers, 5)) == [
        "head",
        *(f"trunk.blocks.{index}" for index in range(3)),
        "trunk.stem",
    ]
    assert sum(map(len, group_layers(layers, 100).values())) == len(layers)
    assert group_layers(layers, 1) == {"all layers": layers}


def test_ranges_need_images(
    small: SegmentationNetwork, header: Header, samples: list[SampleImage], tmp_path: Path
) -> None:
    options = ExportOptions(precision="int8")
    scale = ExportOptions(precision="int8", part="scale")
    torch_file = ExportOptions(format="pt2", precision="int8")
    with pytest.raises(UserError, match="one image"):
        write_quantised(small, header, tmp_path / "a.onnx", options, samples[:1], "here")
    with pytest.raises(UsageError, match="--part scale"):
        write_quantised(small, header, tmp_path / "a.onnx", scale, samples, "here")
    with pytest.raises(UsageError, match="int8 is for onnx and openvino"):
        write_quantised(small, header, tmp_path / "a.pt2", torch_file, samples, "here")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_a_graph_in_int8_answers_nearly_alike(
    small: SegmentationNetwork,
    header: Header,
    samples: list[SampleImage],
    tmp_path: Path,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("onnxruntime" if form == "onnx" else "nncf")
    monkeypatch.setattr(quantising, "GOAL", 0.9)
    path = tmp_path / ("a.onnx" if form == "onnx" else "a.xml")
    options = ExportOptions(format=form, precision="int8")  # type: ignore[arg-type]
    made = write_quantised(small, header, path, options, samples, "here")
    assert made.layers == 5
    assert made.agreement >= made.agreement_of_all > 0.5
    assert read_graph_header(path).precision == "int8"
    holds = "QuantizeLinear" if form == "onnx" else "FakeQuantize"
    assert holds.encode() in path.read_bytes()
    image = torch.from_numpy(samples[0].pixels.transpose(2, 0, 1)[None].copy())
    expected = small(image).logits.argmax(1)
    assert (ExportedEngine(path).decide(image).labels == expected).float().mean() > 0.5


@pytest.mark.slow
def test_nncf_is_imported_without_what_it_tells_through() -> None:
    pytest.importorskip("nncf")
    script = (
        "import sys\n"
        "from hierseg.exporting.quantisers import import_nncf\n"
        "nncf = import_nncf()\n"
        "import nncf.telemetry.decorator as one\n"
        "assert not any(name.startswith('openvino_telemetry') for name in sys.modules)\n"
        "assert type(one.telemetry).__name__ == 'MagicMock'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
