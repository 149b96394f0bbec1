"""`evaluate --official` on Miniature Streets: Cityscapes' own evaluation, beside ours."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hierseg import cli
from hierseg.data.catalog import open_dataset
from hierseg.evaluation import official as official_module
from hierseg.labels import CITYSCAPES
from hierseg.size import Size
from hierseg.streets import write_streets

pytest.importorskip("cityscapesscripts", reason="the extra cityscapes is not installed")


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("official") / "streets"
    write_streets(root, 4, Size(96, 192), 3, 0.99, 1)
    return root


@pytest.fixture(scope="module")
def maps(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label maps in label ids: the truth, shifted by some pixels, with some of no class."""
    folder = tmp_path_factory.mktemp("maps")
    for sample in open_dataset("cityscapes", streets, "val").samples:
        assert sample.label is not None
        with Image.open(sample.label) as picture:
            ids = np.roll(np.array(picture), 5, 1)
        ids[:4, :40] = 0
        Image.fromarray(ids).save(folder / f"{sample.name}_pred.png")
    return folder


def _evaluate(streets: Path, *words: object) -> int:
    flags = ["evaluate", "--data", "cityscapes", "--root", streets, "--official", *words]
    if "--predictions" not in words:
        flags += ["--weights", "streets-lite0"]
    return cli.main([str(word) for word in flags])


def _require_agreement(content: dict) -> None:
    theirs = content["official"]
    for name in CITYSCAPES.names:
        ours, official = content["per_class"][name], theirs["per_class"][name]
        assert (ours is None) == (official is None), name
        assert ours is None or math.isclose(ours, official, abs_tol=1e-6, rel_tol=0), name
    assert math.isclose(content["miou"], theirs["miou"], abs_tol=1e-6, rel_tol=0)
    assert theirs["largest_difference"] <= 1e-6


def test_a_real_models_figures_are_the_scripts(
    streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    assert _evaluate(streets, "--json", out) == 0
    content = json.loads(out.read_text())
    assert content["miou"] > 0.2  # the model of such scenes
    _require_agreement(content)
    said = capsys.readouterr().out
    assert f"mean {' ' * 13}{100 * content['miou']:.2f}   {100 * content['miou']:.2f}" in said
    weighted = content["official"]["per_class_instance"]
    assert set(weighted) <= {"person", "rider", "car", "truck", "bus", "train", "motorcycle",
                             "bicycle"}  # fmt: skip
    assert 0 < weighted["car"] < 1


def test_label_maps_that_leave_pixels_open(streets: Path, maps: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    assert _evaluate(streets, "--predictions", maps, "--json", out) == 0
    content = json.loads(out.read_text())
    assert sum(content["unlabelled"]) > 0
    _require_agreement(content)


def test_instance_weighted_iou_is_that_of_its_definition(
    streets: Path, maps: Path, tmp_path: Path
) -> None:
    """iTP and iFN weigh a pixel by the class's mean size over the size of its own instance."""
    out = tmp_path / "result.json"
    assert _evaluate(streets, "--predictions", maps, "--json", out) == 0
    true, missed, false = 0.0, 0.0, 0
    for sample in open_dataset("cityscapes", streets, "val").samples:
        assert sample.label is not None
        ids, instances, found = (
            np.array(Image.open(path)).astype(int)
            for path in (
                sample.label,
                sample.label.with_name(sample.label.name.replace("labelIds", "instanceIds")),
                maps / f"{sample.name}_pred.png",
            )
        )
        for instance in np.unique(instances[instances // 1000 == 26]):
            mask = instances == instance
            weight = 12794.0202738185 / mask.sum()
            true += weight * (mask & (found == 26)).sum()
            missed += weight * (mask & (found != 26)).sum()
        counted = np.isin(ids, CITYSCAPES.raw_ids)
        false += int((counted & (ids != 26) & (found == 26)).sum())
    expected = true / (true + missed + false)
    found_by_script = json.loads(out.read_text())["official"]["per_class_instance"]["car"]
    assert math.isclose(found_by_script, expected, rel_tol=1e-9)


def test_without_instance_ids_there_is_no_weighted_iou(
    streets: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "streets", tmp_path / "result.json"
    shutil.copytree(streets, root)
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    assert _evaluate(root, "--predictions", maps, "--json", out, "--limit", "1") == 0
    content = json.loads(out.read_text())
    assert content["official"]["instance_miou"] is None
    assert content["official"]["per_class_instance"] == {}
    assert "no iIoU: the ground truth has no *_instanceIds.png" in capsys.readouterr().out


def _as_train_ids(path: Path) -> None:
    with Image.open(path) as picture:
        Image.fromarray(CITYSCAPES.encode(np.array(picture))).save(path)


def _change(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with Image.open(path) as picture:
            Image.fromarray(change(np.array(picture))).save(path)

    return write


def _mark(ids: np.ndarray) -> np.ndarray:
    ids[5, 7] = 77
    return ids


WRONG = {
    "train ids": (_as_train_ids, "hold train ids (0 to 18) and not the ids of cityscapes"),
    "size": (_change(lambda ids: ids[:-1]), "is 95x192 but"),
    "missing": (Path.unlink, "has no label map"),
    "unknown ids": (_change(_mark), "holds id 77, which cityscapes does not have"),
    "channels": (_change(lambda ids: np.stack([ids] * 3, 2)), "has 3 channels"),
    "16 bits": (_change(lambda ids: ids.astype(np.uint16)), "has 16 bits"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:200]), "cut short"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_predictions_are_refused_before_the_script_runs(
    streets: Path,
    maps: Path,
    tmp_path: Path,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(official_module, "run_official", lambda *_: pytest.fail("it ran"))
    shutil.copytree(maps, tmp_path / "maps")
    spoil, reason = WRONG[kind]
    for path in sorted((tmp_path / "maps").iterdir())[: None if kind == "train ids" else 1]:
        spoil(path)
    assert _evaluate(streets, "--predictions", tmp_path / "maps") == 1
    said = capsys.readouterr()
    assert reason in said.err
    assert said.err.count("\n") == 1
    assert "mIoU" not in said.out


def test_what_cannot_be_asked_for(
    streets: Path, maps: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _evaluate(streets, "--predictions", maps, "--ids", "train") == 2
    assert "reads raw ids" in capsys.readouterr().err
    assert _evaluate(streets, "--val-crop", "64x64") == 2
    assert "--val-crop" in capsys.readouterr().err
    for folder in ("val", "valannot"):
        (tmp_path / folder).mkdir()
        Image.new("L", (64, 64)).save(tmp_path / folder / "a.png")
    words = ("evaluate", "--data", "camvid", "--root", tmp_path, "--official")
    assert cli.main([str(word) for word in words]) == 2
    assert "--official runs Cityscapes' own evaluation" in capsys.readouterr().err


def test_figures_that_differ_are_an_error_after_all_is_written(
    streets: Path,
    maps: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, out = official_module.run_official, tmp_path / "result.json"

    def differ(*arguments: Any) -> official_module.OfficialScores:
        scores = run(*arguments)
        return dataclasses.replace(scores, iou={**scores.iou, "car": scores.iou["car"] + 2e-6})

    monkeypatch.setattr("hierseg.evaluation.run_official", differ, raising=False)
    assert _evaluate(streets, "--predictions", maps, "--json", out, "--limit", "1") == 1
    assert "differ from hierseg's by up to 2.0e-06" in capsys.readouterr().err
    assert json.loads(out.read_text())["official"]["largest_difference"] > 1e-6


def test_what_the_script_says_is_passed_on(
    streets: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "streets"
    shutil.copytree(streets, root)
    label = next(root.rglob("*_labelIds.png"))
    # The licence plate: no id of the script's. A row is left, so that there are pixels to count.
    _change(lambda ids: np.vstack([ids[:1], np.full_like(ids[1:], 255)]))(label)
    split = label.parts[-3]
    shutil.rmtree(root / "leftImg8bit" / {"val": "train", "train": "val"}[split])
    folder = tmp_path / "maps"
    folder.mkdir()
    for sample in open_dataset("cityscapes", root, split).samples:
        assert sample.label is not None
        Image.new("L", (192, 96), 7).save(folder / f"{sample.name}.png")
    assert _evaluate(root, "--split", split, "--predictions", folder) == 1
    assert "stopped (ERROR: Unknown label with id 255)" in capsys.readouterr().err
