"""`hierseg export`, and commands that take what it writes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.cli import main
from hierseg.data.catalog import open_dataset
from hierseg.engines.exported_files import read_graph_header
from hierseg.evaluation.evaluator import evaluate
from hierseg.size import Size
from hierseg.streets.sets import write_streets
from support.exported import SIZE, find_exported, make_network


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    path = tmp_path / "pictures" / "one.png"
    path.parent.mkdir()
    Image.fromarray(pixels).save(path)
    return path


def test_flags_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--out", "a.tflite"], "does not say what to write; name it *.onnx"),
        (["--out", "a.onnx", "--format", "pt2"], "does not end in .pt2, as pt2 files do"),
        (["--out", "a.onnx", "--size", "64x64", "--dynamic"], "exclude each other"),
        (["--out", "no/a.onnx"], "there is no folder no for --out"),
        (["--out", "a.onnx", "--weights", "nowhere"], "there are no weights 'nowhere'"),
    ):
        assert main(["export", *words]) in (1, 2)
        assert said in capsys.readouterr().err


def test_what_others_wrote_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine", "content")
    before = path.read_bytes()
    assert main(["export", "--out", str(path)]) == 2
    assert "not a graph that hierseg has exported" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.slow
def test_the_model_in_the_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.pt2"
    words = ["--size", str(SIZE), "--scales", "0.5", "1", "--output", "confidence"]
    assert main(["export", "--out", str(path), *words]) == 0
    shown = capsys.readouterr()
    assert "tracing the network ..." in shown.err
    assert f"use it as --weights {path}" in shown.out
    about = read_graph_header(path)
    assert (about.size, about.scales, about.output) == (Size(*SIZE), (0.5, 1.0), "confidence")
    assert about.header.label_space.name == "camvid"
    assert main(["export", "--out", str(path), *words]) == 0  # its own is replaced


def test_predict_takes_an_exported_file(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    weights = str(find_exported("pt2", "labels"))
    assert main(["predict", str(picture), "--out", str(out), "--weights", weights]) == 0
    labels = np.asarray(Image.open(out / "one_labels.png"))
    from hierseg.inference.predictor import Predictor

    assert np.array_equal(labels, Predictor(make_network())(picture).labels)
    summary = json.loads((out / "summary.json").read_text())
    text = json.dumps(summary)
    assert "NaN" not in text
    assert "torch float32" in text


def test_an_engine_without_modules_runs_through_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streets, weights = tmp_path / "streets", str(find_exported("pt2", "logits"))
    write_streets(streets, 2, SIZE, 0, 1.0, workers=1)
    data = ["--data", "cityscapes", "--root", str(streets), "--split", "val"]
    run = [*data, "--weights", weights]
    assert main(["evaluate", *run, "--json", str(tmp_path / "found.json")]) == 0
    dataset = open_dataset("cityscapes", streets, "val")
    found = json.loads((tmp_path / "found.json").read_text())
    expected = evaluate(make_network(), dataset).scores.miou
    assert found["miou"] == pytest.approx(expected, abs=1e-4)
    assert expected > 0
    assert main(["autolabel", *run, "--out", str(tmp_path / "auto")]) == 0
    assert main(["submit", *run, "--out", str(tmp_path / "all.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as file:
        assert len(file.namelist()) == 2
    assert len(list((tmp_path / "auto").rglob("*_leftImg8bit.png"))) == 2
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--save", "confidence"], "--save confidence needs the confidence"),
        (["--save", "attention"], "has no output for single scales"),
        (["--scales", "1"], "--scales 1: "),
        (["--flip"], "--flip needs logits"),
        (["--engine", "openvino"], "--engine openvino: "),
        (["--budget", "0.7"], "--budget needs the network itself"),
    ],
)
def test_predict_refuses_what_a_file_cannot_do(
    words: list[str], said: str, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(find_exported("pt2", "labels"))
    out = ["--out", str(tmp_path / "out"), "--weights", weights]
    assert main(["predict", str(picture), *out, *words]) == 2
    assert said in capsys.readouterr().err


def test_labels_for_training_need_the_confidence(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", "folder", "--root", str(picture.parent), "--out", str(tmp_path / "out")]
    status = main(["autolabel", *words, "--weights", str(find_exported("pt2", "labels"))])
    assert status != 0
    shown = capsys.readouterr().err
    assert "labelling for training needs the confidence" in shown, shown


def test_what_needs_tensors_names_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(find_exported("pt2", "labels"))
    assert main(["export", "--weights", weights, "--out", str(tmp_path / "a.onnx")]) == 1
    assert "name the checkpoint that it was exported from" in capsys.readouterr().err


@pytest.mark.slow
def test_bench_times_a_file_by_its_own_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(find_exported("pt2", "labels"))
    assert main(["bench", "--weights", weights, "--engines", "torch"]) == 2
    assert "is an exported graph; leave them out" in capsys.readouterr().err
    words = ["--sizes", str(SIZE), "--repeats", "1", "--json", str(tmp_path / "a.json")]
    assert main(["bench", "--weights", weights, *words]) == 0
    (row,) = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert (row["engine"], row["precision"]) == ("torch", "float32")
