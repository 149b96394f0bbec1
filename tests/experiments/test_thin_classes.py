from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from hierseg.labels import CAMVID
from support.scripts import load_script

POLE = CAMVID.names.index("pole")
ROAD = CAMVID.names.index("road")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("thin_classes")


def test_a_pole_of_three_pixels(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.full((8, 20), ROAD, np.uint8)
    labels[:, 6:9] = POLE
    labels[:, 15:] = 11  # void: half of what is left is not counted
    for split in ("val", "train"):
        for folder, pixels in ((split, np.zeros((8, 20, 3), np.uint8)), (f"{split}annot", labels)):
            (tmp_path / folder).mkdir()
            assert cv2.imwrite(str(tmp_path / folder / "a.png"), pixels)
    confusion = np.zeros((11, 11), int)
    confusion[POLE, POLE], confusion[POLE, ROAD], confusion[ROAD, POLE] = 30, 10, 90
    result = tmp_path / "val.json"
    per_class = dict.fromkeys(CAMVID.names)
    result.write_text(json.dumps({"per_class": per_class, "confusion": confusion.tolist()}))
    script.main([str(tmp_path), "--splits", "val", "--json", str(result)])
    first, taken, said = capsys.readouterr().out.splitlines()
    assert first == (
        "val pole: share 20.00 %, 100 % of its rows at most 4 pixels wide; IoU with itself "
        "moved by 1: 0.50, by 2: 0.20, a pixel wider on both sides: 0.60, "
        "through half the size: 0.75"  # columns 6 and 8 become 6 to 9
    )
    assert taken.startswith("pole is taken for pole 75 %, road 25 %, ")
    assert said.startswith("pole is said of road 75 %, pole 25 %, ")


def test_widths_are_of_runs(script: ModuleType) -> None:
    mask = np.array([[1, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]], bool)
    assert sorted(script.list_widths(mask)) == [1, 2, 3]
