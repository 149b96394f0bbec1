"""The chart of ways to combine scales, and of engines and gates."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from support.scripts import load_script

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("paper_chart")


def _write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_rows_become_points(script: ModuleType, tmp_path: Path) -> None:
    _write(
        tmp_path / "paper_table.csv",
        "variant,seed,scales,miou",
        "single,0,1,0.5", "single,1,1,0.52", "single,0,0.5 1 2,0.55", "hier,0,0.5 1,0.6",
    )  # fmt: skip
    _write(
        tmp_path / "paper_costs.csv",
        "variant,scales,run_seconds",
        "single,1,0.04", "single,0.5 1 2,0.18", "hier,0.5 1,0.055",
    )  # fmt: skip
    curves = script.gather_variants(tmp_path)
    assert list(curves) == ["one scale; 3: average", "hierarchical"]
    (one, three), (two,) = curves.values()
    assert (one.x, one.y, one.note) == (40, 51, "1")
    assert one.spread == pytest.approx(2**0.5)
    assert (three.x, three.y, three.spread, three.note) == (180, pytest.approx(55), 0, "3")
    assert (two.x, two.note) == (55, "2")


def test_engines_have_their_own_time(script: ModuleType, tmp_path: Path) -> None:
    _write(
        tmp_path / "gates-time.csv",
        "size,engine,budget,ms",
        "360x480,openvino bf16,1,144", "720x960,openvino bf16,1,863",
        "360x480,openvino bf16,0.61,133",
    )  # fmt: skip
    _write(
        tmp_path / "gates-miou.csv",
        "size,engine,gate,budget,miou",
        "360x480,openvino bf16,none,1,0.7469", "360x480,openvino bf16,entropy,0.61,0.7464",
    )  # fmt: skip
    ((whole, gated),) = script.gather_engines(tmp_path).values()
    assert (whole.x, whole.y, whole.note) == (144, pytest.approx(74.69), "100")
    assert (gated.x, gated.note) == (133, "61")


def test_higher_is_better_and_further_right_dearer(script: ModuleType) -> None:
    points = [script.Point(10, 50, 1, "a"), script.Point(100, 60, 0, "b")]
    root = ElementTree.fromstring(
        script.draw_chart([script.Panel("title", "axis", {"x": points}, is_log=True)])
    )
    texts = {
        one.text: (float(one.get("x", 0)), float(one.get("y", 0)))
        for one in root.iter(f"{SVG}text")
    }
    assert texts["a"][0] < texts["b"][0]
    assert texts["a"][1] > texts["b"][1]
    assert {"title", "axis", "x", "20", "50"} <= set(texts)
