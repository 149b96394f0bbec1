"""The script behind the figures of propagated labels."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest

from hierseg.size import Size
from support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("propagation")


def test_rows_and_chart_come_out_of_clips(script: ModuleType, tmp_path: Path) -> None:
    script.measure(tmp_path, ["exact", "dis"], 1, Size(32, 64), 3)
    with (tmp_path / script.TABLE).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2 * script.STEPS
    by = {(r["flow"], r["mode"], r["labels"], int(r["step"])): r for r in rows}
    for step in range(1, script.STEPS + 1):
        joint, alone = (by["exact", mode, "all", step] for mode in ("joint", "labels"))
        assert joint["truth"] == alone["truth"] == alone["shown"]
        assert float(joint["shown"]) >= float(alone["shown"])
        assert float(by["exact", "joint", "checked", step]["kept"]) <= float(joint["kept"])
    assert float(by["dis", "joint", "all", 1]["shown"]) > 90
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    script.measure(tmp_path, ["exact", "dis"], 1, Size(32, 64), 3)  # nothing is done again
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == before
    script.draw_chart(tmp_path / script.TABLE, tmp_path / "chart.svg")
    drawn = ElementTree.parse(tmp_path / "chart.svg").getroot()
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}polyline")) == 8


def test_pixels_without_a_label_on_either_side_are_not_counted(script: ModuleType) -> None:
    found, truth = np.array([[0, 1, 255]]), np.array([[0, 255, 2]])
    counted = script.count(found, truth)
    assert counted.sum() == 1
    assert counted[0, 0] == 1
