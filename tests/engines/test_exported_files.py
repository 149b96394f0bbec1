"""Files from anywhere: each that cannot be run ends in one sentence, and none runs code."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hierseg.engines import exported_files
from hierseg.engines.exported_engine import ExportedEngine, load_weights
from hierseg.engines.exported_files import read_graph_header
from hierseg.engines.exported_programs import _is_size
from hierseg.errors import UserError
from support.exported import find_exported, make_images


def refuse(path: Path, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["onnx", "openvino", "pt2"])
def test_files_cut_short(form: str, tmp_path: Path) -> None:
    if form != "pt2":
        pytest.importorskip("onnxruntime" if form == "onnx" else "openvino")
    whole = find_exported(form)
    path = tmp_path / whole.name
    if form == "openvino":
        shutil.copy(whole.with_suffix(".bin"), path.with_suffix(".bin"))
    content = whole.read_bytes()
    for length in (0, 7, len(content) // 3, len(content) - 9):
        path.write_bytes(content[:length])
        refuse(path, "is damaged|has no header")


@pytest.mark.parametrize("name", ["a.onnx", "a.xml", "a.pt2"])
@pytest.mark.parametrize(
    "content", [b"<html></html>", b"PK\x03\x04 and more", b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x7f"]
)
def test_what_is_no_graph(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, "is damaged or no exported graph")


def test_xml_that_declares_entities(tmp_path: Path) -> None:
    text = '<!DOCTYPE n [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><net>&b;</net>'
    (tmp_path / "a.xml").write_text(text)
    refuse(tmp_path / "a.xml", "is damaged")


def test_a_graph_of_openvino_without_its_numbers(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = tmp_path / "a.xml"
    shutil.copy(find_exported("openvino"), path)
    refuse(path, r"has no a\.bin beside it")
    path.with_suffix(".bin").write_bytes(b"few")
    refuse(path, r"cannot be opened by OpenVINO")


def test_a_graph_of_another_project(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(find_exported("onnx"))
    del model.metadata_props[:]
    path = tmp_path / "a.onnx"
    onnx.save(model, path)
    refuse(path, "was not exported by hierseg")


def test_another_model_under_our_header(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    number = onnx.TensorProto.UINT8
    shape = [None, 3, None, None]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["image"], ["labels"])],
        "other",
        [onnx.helper.make_tensor_value_info("image", number, shape)],
        [onnx.helper.make_tensor_value_info("labels", number, shape)],
    )
    imports = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=10)
    model.metadata_props.extend(onnx.load(find_exported("onnx")).metadata_props)
    path = tmp_path / "a.onnx"
    onnx.save(model, path)
    with pytest.raises(UserError, match="does not give what its header says"):
        ExportedEngine(path).decide(make_images())


def test_a_newer_opset(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = onnx.load(find_exported("onnx"))
    model.opset_import[0].version = 99
    path = tmp_path / "a.onnx"
    onnx.save(model, path)
    refuse(path, r"has opset 99, and the installed onnx reads up to \d+")


def test_tensors_outside_of_the_file(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = onnx.load(find_exported("onnx"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret"
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    refuse(path, "has tensors in other files, which are not read")


def test_a_graph_that_does_not_fit_into_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported_files, "read_free_memory", lambda _: 1000)
    refuse(find_exported("pt2"), "there is no memory to read")


def change(path: Path, name: str, edit: Callable[[bytes], bytes | None]) -> None:
    """Write the exported program with one of its members changed, or without it."""
    with zipfile.ZipFile(find_exported("pt2")) as source, zipfile.ZipFile(path, "w") as made:
        for member in source.infolist():
            content: bytes | None = source.read(member)
            if member.filename.endswith(name):
                content = edit(content or b"")
                assert content != source.read(member)
            if content is not None:
                made.writestr(member.filename, content)


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("weights_config.json", b'"use_pickle": false', b'"use_pickle": true', "holds pickles"),
        ("weights_config.json", b'"weight_0"', b'"../weight_0"', "holds pickles"),
        ("model.json", b"torch.ops.aten.sigmoid.default", b"torch.os.system", r"torch\.os\.system"),
        ("model.json", b'"guards_code": []', b'"guards_code": ["id"]', "holds code"),
        ("model.json", b'"major": ', b'"major": 9', "another release wrote it"),
        ("sample_inputs/model.pt", b"", b"\x80\x04.", "files that torch would unpickle"),
        ("model.json", b"Symbol('s", b"open('s", "an expression that is no size"),
    ],
)
def test_programs_that_would_run_code(
    name: str, before: bytes, after: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.pt2"
    change(path, name, lambda content: content.replace(before, after, 1))
    refuse(path, said)


def test_programs_without_a_header(tmp_path: Path) -> None:
    change(tmp_path / "a.pt2", "extra/hierseg", lambda _: None)
    refuse(tmp_path / "a.pt2", "has no header")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("FloorDiv(Add(Symbol('s6', positive=True, integer=True), Integer(1)), Integer(2))", True),
        ("2*s6 + 1", True),
        ("__import__('os').system('id')", False),
        ("Symbol('s6').func", False),
        ("Symbol('x y')", False),
        ("Max(1, open('s1'))", False),
        ("[1]", False),
        (3, False),
    ],
)
def test_sizes_are_arithmetic(text: object, known: bool) -> None:
    assert _is_size(text) == known


def test_names_that_are_no_graphs() -> None:
    with pytest.raises(UserError, match="does not end as an exported graph"):
        read_graph_header("a.safetensors")
