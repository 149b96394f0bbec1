from __future__ import annotations

import argparse
import csv
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from hierseg.labels import CAMVID
from hierseg.size import Size
from support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("class_uniform_camvid")


def test_the_two_runs_differ_in_the_share_alone(script: ModuleType, tmp_path: Path) -> None:
    arguments = argparse.Namespace(
        data_root=Path("camvid"), out=tmp_path, epochs=12, seed=3, batch=8, crop=Size(96, 96)
    )
    off, on = (script.describe(arguments, which).to_dict() for which in ("off", "on"))
    assert (off["data"].pop("class_uniform"), on["data"].pop("class_uniform")) == (0.0, 0.5)
    assert off["runtime"].pop("out") == str(tmp_path / "off")
    assert on["runtime"].pop("out") == str(tmp_path / "on")
    assert off == on
    assert (on["optim"]["epochs"], on["runtime"]["seed"], on["runtime"]["resume"]) == (12, 3, False)
    (tmp_path / "on").mkdir()
    (tmp_path / "on" / "run.json").touch()
    assert script.describe(arguments, "on").runtime.resume


def test_the_table_has_each_class_and_the_means(script: ModuleType, tmp_path: Path) -> None:
    def result(iou: float) -> SimpleNamespace:
        ious = {name: iou + 0.1 * (name in script.RARE_CLASSES) for name in CAMVID.names}
        scores = SimpleNamespace(iou=ious, miou=iou, num_classes_averaged=11)
        return SimpleNamespace(names=CAMVID.names, scores=scores)

    path = tmp_path / "table.csv"
    script.write_table(path, {"off": result(0.5), "on": result(0.6)})
    with path.open(newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert len(rows) == 13
    assert rows["pole"] == {"class": "pole", "rare": "yes", "iou_off": "0.6000", "iou_on": "0.7000"}
    assert rows["road"]["rare"] == ""
    assert rows["mean of 5 rare classes"]["iou_on"] == "0.7000"
    assert rows["mIoU over 11"]["iou_off"] == "0.5000"
