"""The script behind the curves of gated scales."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from hierseg.models.registry import create_model
from support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("gates")


def test_a_scale_is_run_once_for_the_same_pixels(script: ModuleType, tmp_path: Path) -> None:
    network = create_model("lite0-ocr-hier", num_classes=3).eval()
    path, image = tmp_path / "a.pt", torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        memory = script.Memory(network, path)
        first = memory(image, True)
        assert memory(image, True) is first
        # With the region vectors of another image it is another run.
        tile = memory(image, False, first.regions + 1)
        assert not torch.equal(tile.logits, first.logits)
        memory.save()
        again = script.Memory(None, path)
        assert torch.equal(again(image, True).logits, first.logits)
        assert torch.equal(again(image, False, first.regions + 1).logits, tile.logits)


def test_counts_become_a_table_and_a_chart(script: ModuleType, tmp_path: Path) -> None:
    truth = np.zeros((60, 80), np.uint8)
    truth[:, 40:] = 1
    truth[:5] = 255
    wrong = np.where(truth == 1, 0, truth).astype(np.uint8)
    wrong[5:] = np.where(np.arange(80) < 50, 0, 1)
    right, half = (script.count(np.minimum(one, 1), truth, 2) for one in (truth, wrong))
    totals = {"run none 0": half, "run full 1": right, "run tiles 1": right}
    totals |= {
        f"{kind} entropy {share}": half for kind in ("run", "labels") for share in (0.1, 0.5)
    }
    path, chart = tmp_path / "gates.csv", tmp_path / "gates.svg"
    script.write_table(path, totals, script.costs())
    with path.open(newline="") as file:
        rows = {(row["kind"], row["gate"], row["tiles"]): row for row in csv.DictReader(file)}
    assert float(rows["run", "full", "1"]["miou"]) == 1
    # 40 columns of one class, 10 of them said to be the other.
    expected = (40 / 50 + 30 / 40) / 2
    assert float(rows["run", "entropy", "0.5"]["miou"]) == pytest.approx(expected, abs=1e-6)
    assert 0 < float(rows["run", "entropy", "0.5"]["boundary_iou"]) < expected
    works = [rows["run", gate, share]["work"] for gate, share in (("none", "0"), ("full", "1"))]
    assert works == ["0.2381", "1.0000"]
    # Six of twelve windows of 288x288, of 720x960 pixels, beside the smaller scales.
    half_work = (1.25 + 4 * 6 * 288 * 288 / (720 * 960)) / 5.25
    assert float(rows["run", "entropy", "0.5"]["work"]) == pytest.approx(half_work, abs=1e-4)
    script.draw_chart(path, chart)
    drawn = ElementTree.parse(chart).getroot()
    assert len([one for one in drawn.iter() if one.tag.endswith("polyline")]) == 4
