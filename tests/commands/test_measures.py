"""`hierseg evaluate --boundary --calibration --corruptions` and `hierseg calibrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.commands.calibrate import calibrate
from hierseg.commands.evaluate import evaluate
from hierseg.commands.fitting import PixelFlags
from hierseg.commands.measures import MeasureFlags
from hierseg.data.catalog import open_dataset
from hierseg.errors import UsageError, UserError
from hierseg.inference.predictor import Predictor
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.options import RunOptions
from hierseg.size import Size
from hierseg.streets import write_streets


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of validation, small."""
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, 4, Size(64, 96), seed=1, val_fraction=0.75)
    return root


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that was never trained, as a file of float16."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("own") / "own.safetensors"
    save_checkpoint(path, create_model("lite0-ocr-hier", 19), CITYSCAPES, half=True)
    return path


def test_measures_are_in_table_json_and_pictures(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, full, out = tmp_path / "plain.json", tmp_path / "full.json", tmp_path / "out"
    common: dict[str, Any] = {"root": streets, "weights": str(own), "device": "cpu", "out": out}
    evaluate("cityscapes", json=plain, **common)
    assert not out.exists()
    capsys.readouterr()
    evaluate(
        "cityscapes",
        json=full,
        measures=MeasureFlags(boundary=True, calibration=True, corruptions=("fog",)),
        **common,
    )
    content, before = json.loads(full.read_text()), json.loads(plain.read_text())
    assert {key: content[key] for key in before} == before
    assert set(content) - set(before) == {"boundary", "calibration", "corruptions"}
    said = capsys.readouterr().out
    boundary = content["boundary"]
    assert boundary["band_widths"] == [2]
    assert list(boundary["boundary_iou"]) == list(CITYSCAPES.names)
    assert f"mean Boundary IoU {100 * boundary['mean_boundary_iou']:.2f}" in said
    (only,) = content["calibration"]
    assert only["temperature"] == 1
    assert len(only["bins"]) == 15
    assert only["accuracy"] == pytest.approx(content["pixel_accuracy"])
    assert f"ECE {100 * only['ece']:.2f} %" in said
    assert "`hierseg calibrate` fits one" in said
    rows = content["corruptions"]["corruptions"]
    assert list(rows) == ["fog"]
    assert content["corruptions"]["clean_miou"] == content["miou"]
    assert json.loads((out / "corruptions.json").read_text())["corruptions"] == rows
    assert {path.name for path in out.iterdir()} == {
        "corruptions.json", "corruptions.png", "reliability.png",
    }  # fmt: skip


def test_what_label_maps_cannot_say_is_refused(streets: Path, own: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    for flag, given in (
        ("--calibration", MeasureFlags(calibration=True)),
        ("--corruptions", MeasureFlags(corruptions=())),
    ):
        with pytest.raises(UsageError, match=f"{flag} is for a network"):
            evaluate("cityscapes", streets, predictions=maps, measures=given)
    with pytest.raises(UsageError, match="no 'snow'"):
        evaluate("cityscapes", streets, measures=MeasureFlags(corruptions=("snow",)))
    out = tmp_path / "maps.json"
    evaluate("cityscapes", streets, weights=str(own), device="cpu", save_predictions=maps)
    with pytest.raises(UsageError, match="is the folder of --predictions"):
        evaluate("cityscapes", streets, predictions=maps, save_predictions=maps.parent / "maps")
    evaluate(
        "cityscapes", streets, predictions=maps, measures=MeasureFlags(boundary=True), json=out
    )
    assert json.loads(out.read_text())["boundary"]["num_classes_averaged"] > 3


def test_what_cannot_be_written_is_said_before_the_run(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common: dict[str, Any] = {"root": streets, "weights": str(own), "device": "cpu"}
    taken = tmp_path / "taken"
    taken.touch()
    for flags in (MeasureFlags(calibration=True), MeasureFlags(corruptions=("fog",))):
        with pytest.raises(FileExistsError):
            evaluate("cityscapes", out=taken, measures=flags, **common)
    with pytest.raises(UserError, match=r"--json .* is a folder"):
        evaluate("cityscapes", json=tmp_path, **common)
    assert capsys.readouterr().out == ""


def test_figures_of_other_weights_are_found_before_the_run(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"weights": "0" * 16, "data": "cityscapes", "split": "val"}
    content = json.dumps({"settings": settings, "corruptions": {}})
    (tmp_path / "corruptions.json").write_text(content)
    with pytest.raises(UsageError, match=r"other settings .*weights"):
        evaluate("cityscapes", streets, weights=str(own), device="cpu", out=tmp_path,
                 measures=MeasureFlags(corruptions=("fog",)))  # fmt: skip
    assert capsys.readouterr().out == ""
    assert (tmp_path / "corruptions.json").read_text() == content


def test_a_temperature_is_fitted_stored_and_used(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "calibrated.safetensors", own.read_bytes()
    flags = PixelFlags("cityscapes", out, streets, weights=str(own), device="cpu", pixels=3000)
    calibrate(flags, tmp_path / "plot.png")
    assert own.read_bytes() == before
    assert (tmp_path / "plot.png").is_file()
    header = read_header(out)
    record = header.extra["calibration"]
    assert record["pixels"] == 3000
    assert (record["data"], record["split"], record["images"]) == ("cityscapes", "val", 3)
    assert record["nll"][1] < record["nll"][0]
    assert record["ece"][1] != record["ece"][0]
    said = capsys.readouterr().out
    assert f"temperature {header.temperature:.4f}" in said
    assert f"NLL {record['nll'][0]:.4f}" in said
    assert f"NLL {record['nll'][1]:.4f}" in said
    old, new = load_file(own), load_file(out)
    assert all(torch.equal(new[name], tensor) for name, tensor in old.items())

    result = tmp_path / "result.json"
    evaluate("cityscapes", streets, weights=str(out), device="cpu", json=result, out=tmp_path,
             measures=MeasureFlags(calibration=True))  # fmt: skip
    plain, calibrated = json.loads(result.read_text())["calibration"]
    assert (plain["temperature"], calibrated["temperature"]) == (1, header.temperature)
    assert calibrated["nll"] < plain["nll"]

    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    first, second = (Predictor(load_model(path))(image) for path in (own, out))
    assert np.array_equal(first.labels, second.labels)
    assert not np.allclose(first.confidence, second.confidence)


def test_one_image_in_so_many_is_fitted_on(streets: Path, own: Path, tmp_path: Path) -> None:
    fits, notes = {}, []
    for name, chosen in (("all", {}), ("every", {"every": 2}), ("limit", {"limit": 1})):
        out = tmp_path / f"{name}.safetensors"
        calibrate(PixelFlags("cityscapes", out, streets, weights=str(own), device="cpu", **chosen))  # type: ignore[arg-type]
        record = read_header(out).extra["calibration"]
        fits[name] = (record["images"], record["pixels"])
        notes.append(record["split_note"])
    # Scenes have no two counts of labelled pixels alike: the first and the third are not the first.
    assert [fits[name][0] for name in ("all", "every", "limit")] == [3, 2, 1]
    assert notes == ["", "one in 2 images", "the first 1 of 3 images"]
    dataset = open_dataset("cityscapes", streets, "val")
    counted = [int((dataset.read(index).labels != CITYSCAPES.ignore).sum()) for index in range(3)]
    assert fits["every"][1] == counted[0] + counted[2] != counted[0] + counted[1]


def test_weights_are_replaced_only_when_asked(streets: Path, own: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(own.read_bytes())
    common: dict[str, Any] = {"weights": str(mine), "device": "cpu", "pixels": 500}
    with pytest.raises(UsageError, match=r"is the weights themselves; .* --overwrite"):
        calibrate(PixelFlags("cityscapes", mine, streets, **common))
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"x")
    with pytest.raises(UsageError, match=r"is there; .* --overwrite"):
        calibrate(PixelFlags("cityscapes", other, streets, **common))
    assert mine.read_bytes() == own.read_bytes()
    assert other.read_bytes() == b"x"
    calibrate(PixelFlags("cityscapes", mine, streets, overwrite=True, **common))
    assert "temperature" in read_header(mine).extra


def test_what_cannot_be_calibrated_is_refused(streets: Path, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    (tmp_path / "folder.png").mkdir()
    for flags, message in (
        ({"plot": tmp_path / "folder.png"}, "--plot .* is a folder"),
        ({"out": tmp_path / "out.pth"}, r"not named \*\.safetensors"),
        ({"limit": 0}, "--limit 0"),
        ({"every": 0}, "--every 0"),
        ({"pixels": 0}, "--pixels 0"),
        ({"seed": -1}, "--seed -1"),
        ({"how": RunOptions(long_edge=8)}, "--long-edge 8"),
        ({"plot": tmp_path / "x.svg"}, r"--plot .* is not named \*\.png"),
        ({"out": tmp_path / "none" / "out.safetensors"}, "no folder .* for --out"),
        ({"plot": tmp_path / "none" / "x.png"}, "no folder .* for --plot"),
        ({"how": RunOptions(scales=(0.5,))}, "--scales"),
        ({"weights": "nowhere"}, "no weights 'nowhere'"),
    ):
        given: dict[str, Any] = {"out": out, "root": streets, "weights": str(own), **flags}
        plot, how = given.pop("plot", None), given.pop("how", RunOptions())
        with pytest.raises(UserError, match=message):
            calibrate(PixelFlags("cityscapes", **given), plot, how)
    assert not out.exists()
