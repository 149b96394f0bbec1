"""A file gives what the network gives, says of what it was made, and appears whole."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import hierseg
from hierseg.engines.exported_engine import ExportedEngine
from hierseg.engines.exported_files import read_graph_header
from hierseg.errors import MissingExtraError, UsageError, UserError, flags_shown
from hierseg.exporting import writing
from hierseg.exporting.options import ENDINGS, ExportOptions
from hierseg.exporting.writing import describe, write_graph
from hierseg.inference.deciding import decide
from hierseg.models import create_model
from hierseg.options import WHOLE
from hierseg.size import Size
from support.exported import SIZE, find_exported, make_header, make_images, make_network

FORMATS = ["onnx", "openvino", "pt2"]
SLOW = pytest.mark.slow
OTHERS = [Size(97, 131), Size(32, 33)]


def require(form: str) -> None:
    for module in writing.NEEDED[form][1]:
        pytest.importorskip(module)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("batch", [1, 2])
def test_labels_and_confidence_are_the_networks(form: str, batch: int) -> None:
    require(form)
    images = make_images(batch)
    found = ExportedEngine(find_exported(form, "confidence")).decide(images)
    with torch.inference_mode():
        labels, confidence = decide(make_network()(images).logits, temperature=2.0)
    assert found.labels.dtype == torch.uint8
    assert len(labels.unique()) > 1
    assert torch.equal(found.labels, labels)
    torch.testing.assert_close(found.confidence, confidence, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_one_file_takes_any_size(form: str) -> None:
    require(form)
    engine = ExportedEngine(find_exported(form, "logits", None))
    for batch, size in ((1, SIZE), (2, OTHERS[0]), (1, OTHERS[1])):
        images = make_images(batch, size)
        with torch.inference_mode():
            expected = make_network()(images).logits
        torch.testing.assert_close(engine.run(images, WHOLE).logits, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("form", FORMATS)
def test_the_file_says_of_what_it_was_made(form: str) -> None:
    require(form)
    about = read_graph_header(find_exported(form, "confidence"))
    assert about.header == make_header()
    assert (about.scales, about.output, about.size) == ((0.5, 1.0), "confidence", SIZE)
    assert (about.precision, about.part, about.attends) == ("float32", "whole", True)
    assert about == describe(
        make_network(), make_header(), ExportOptions("onnx", SIZE, output="confidence")
    )


def test_windows_that_are_pooled_are_for_graphs_of_one_size() -> None:
    network = create_model("deeplabv3plus-resnet50", 19, width=8, aspp_channels=8, aspp_pool=5)
    with flags_shown(), pytest.raises(UsageError, match=r"aspp_pool .* give --size"):
        describe(network.eval(), make_header(), ExportOptions("onnx"))
    assert describe(network, make_header(), ExportOptions("onnx", SIZE)).size == SIZE


@pytest.mark.slow
def test_lengths_have_names_in_a_file_of_onnx() -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(find_exported("onnx", "logits", None)))
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    labels, logits = session.get_outputs()
    assert (labels.name, labels.shape) == ("labels", ["batch", "height", "width"])
    assert (logits.name, logits.shape) == ("logits", ["batch", 19, "height", "width"])


def test_nothing_of_this_machine_is_in_a_file_of_torch() -> None:
    content = find_exported("pt2", "labels").read_bytes()
    assert str(Path(hierseg.__file__).parent).encode() not in content
    assert b"stack_trace" not in content


def test_one_scale_for_those_who_fuse_by_themselves(tmp_path: Path) -> None:
    options = ExportOptions("pt2", SIZE, (0.5,), part="scale")
    write_graph(make_network(), make_header(), tmp_path / "a.pt2", options)
    program = torch.export.load(str(tmp_path / "a.pt2")).module()
    images, network = make_images(), make_network()
    with torch.inference_mode():
        logits, attention, features = program(images)
        half = torch.nn.functional.interpolate(
            network.normalize(images), size=(32, 48), mode="bilinear"
        )
        expected = network.forward_scale(half)
    torch.testing.assert_close(logits, expected.logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(attention, expected.attention, rtol=0, atol=1e-4)
    torch.testing.assert_close(features, expected.features, rtol=0, atol=1e-4)
    with pytest.raises(UsageError, match="holds one scale without the fusion"):
        ExportedEngine(tmp_path / "a.pt2")


@pytest.mark.parametrize("form", ["pt2", *(pytest.param(f, marks=SLOW) for f in FORMATS[:2])])
def test_half_precision_stays_near(form: Any, tmp_path: Path) -> None:
    require(form)
    path = tmp_path / f"a{ENDINGS[form]}"
    options = ExportOptions(form, SIZE, output="logits", precision="fp16")
    write_graph(make_network(), make_header(), path, options)
    images = make_images()
    with torch.inference_mode():
        expected = make_network()(images).logits
    found = ExportedEngine(path).run(images, WHOLE).logits
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize(
    ("options", "name", "said"),
    [
        ({"format": "tflite"}, "a.onnx", "--format tflite is none of onnx, openvino, pt2"),
        ({"output": "masks"}, "a.onnx", "--output masks is none of"),
        ({"format": "openvino"}, "a.onnx", r"does not end in \.xml"),
        ({"size": Size(31, 64)}, "a.onnx", "--size 31x64 has a side under 32"),
        ({"scales": ()}, "a.onnx", "--scales: no scale is given"),
        ({"scales": (0.5, 2.0)}, "a.onnx", "must include 1"),
        ({"part": "scale", "scales": (0.5, 1.0)}, "a.onnx", "exports one scale"),
        ({"part": "scale", "output": "logits"}, "a.onnx", "leave --output out"),
        ({"precision": "int8", "format": "pt2"}, "a.pt2", "int8 is for onnx and openvino"),
        ({"scales": (0.29, 1.0)}, "a.onnx", "0.29 cannot be exported exactly for every size"),
    ],
)
def test_what_cannot_be_exported(
    options: dict[str, Any], name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        write_graph(make_network(), make_header(), tmp_path / name, ExportOptions(**options))
    with flags_shown():
        assert re.search(said, str(caught.value))
    assert not any(tmp_path.iterdir())


def test_scales_that_no_whole_numbers_follow_are_for_one_size() -> None:
    options = ExportOptions("onnx", SIZE, (0.29, 1.0))
    assert describe(make_network(), make_header(), options).scales == (0.29, 1.0)
    with pytest.raises(UserError, match="exported exactly"):
        describe(make_network(), make_header(), dataclasses.replace(options, size=None))


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"hierseg\[onnx,openvino\]"):
        write_graph(
            make_network(), make_header(), tmp_path / "a.xml", ExportOptions(format="openvino")
        )


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pt2"
    path.write_bytes(b"before")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("torch says\nmuch")

    monkeypatch.setattr(torch.export, "save", fail)
    with pytest.raises(UserError, match=r"cannot be exported as pt2 \(RuntimeError: torch says\)"):
        write_graph(make_network(), make_header(), path, ExportOptions("pt2", SIZE))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_python_exports_a_network_or_weights(tmp_path: Path) -> None:
    told: list[str] = []
    out = hierseg.export(
        make_network(), tmp_path / "a.pt2", ExportOptions("pt2", SIZE), told.append
    )
    assert out == tmp_path / "a.pt2"
    assert told == ["tracing the network", "writing the file"]
    assert read_graph_header(out).header.record == {"recipe": "tiny"}
    with pytest.raises(UsageError, match="no weights"):
        hierseg.export("nothing", tmp_path / "b.pt2", ExportOptions("pt2"))
