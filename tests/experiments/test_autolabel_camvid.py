from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from hierseg.data.catalog import open_dataset
from hierseg.size import Size
from support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("autolabel_camvid")


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Seven frames for training and two for validation, each of a colour and a class of its own."""
    for split, count in (("train", 7), ("val", 2)):
        for number in range(count):
            for folder, value in ((split, (number, 0, 0)), (f"{split}annot", number)):
                (tmp_path / "camvid" / folder).mkdir(parents=True, exist_ok=True)
                pixels = np.empty((8, 12, 3) if folder == split else (8, 12), np.uint8)
                pixels[...] = value
                Image.fromarray(pixels).save(tmp_path / "camvid" / folder / f"{number}.png")
    return tmp_path / "camvid"


def _arguments(out: Path) -> argparse.Namespace:
    return argparse.Namespace(
        out=out, batch=1, steps=20, crop=Size(64, 64), threshold=0.7, workers=0, threads=1
    )


def test_every_third_frame_has_labels_and_all_are_of_half_size(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    script.prepare(camvid, tmp_path / "data")
    frames = {
        part: [s.name for s in open_dataset("camvid", tmp_path / "data" / part, split).samples]
        for part, split in (("third", "train"), ("all", "train"))
    }
    assert frames["third"] == ["0", "3", "6"]
    assert frames["all"] == [str(i) for i in range(7)]
    rest = open_dataset("camvid", tmp_path / "data" / "rest", "train", keep_unpaired=True)
    assert [s.name for s in rest.samples] == ["1", "2", "4", "5"]
    assert not list((tmp_path / "data" / "rest").glob("*annot"))
    record = open_dataset("camvid", tmp_path / "data" / "third", "train").read(1)
    assert record.image.shape == (4, 6, 3)
    assert record.labels is not None
    assert (record.labels == 3).all()
    assert len(open_dataset("camvid", tmp_path / "data" / "third", "val")) == 2


def test_the_runs_have_one_budget_and_differ_in_their_labels_alone(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    script.prepare(camvid, tmp_path / "data")
    third, both, full = (script.describe(_arguments(tmp_path), w, 1) for w in script.RUNS)
    assert [e.optim.epochs for e in (third, both, full)] == [7, 3, 3]  # 7 * 3, 3 * 7 steps
    assert (third.data.extra, both.data.extra, full.data.extra) == ("none", "auto", "none")
    assert both.data.auto_root == tmp_path / "labels-1"
    assert both.data.auto_threshold == 0.7
    assert third.data.root == both.data.root == tmp_path / "data" / "third"
    assert full.data.root == tmp_path / "data" / "all"
    assert third.model == both.model == full.model
    assert {e.data.class_uniform for e in (third, both, full)} == {0.0}
    assert {e.runtime.seed for e in (third, both, full)} == {1}


def test_lines_are_added_and_the_table_has_mean_and_spread(
    script: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    assert script.format_results(script.read_rows(path)) == "no run is done yet"
    for which, seed, miou in (("third", 0, 0.5), ("third", 1, 0.6), ("all", 0, 0.7)):
        script.add_row(path, {
            "run": which, "seed": str(seed), "steps": "20", "labelled": "3", "auto_labelled": "0",
            "miou": str(miou), "pixel_accuracy": "0.8", "iou_sky": str(miou + 0.1),
        })  # fmt: skip
    lines = script.format_results(script.read_rows(path)).splitlines()
    assert lines[2] == ("| a third of the labels | 3 | 0 | 20 | 2 | 55.00 ± 7.07 | 80.00 ± 0.00 |")
    assert lines[3] == "| all labels | 3 | 0 | 20 | 1 | 70.00 | 80.00 |"
    assert lines[-1] == "| sky | 65.00 ± 7.07 | 80.00 |"
