"""The script that makes the figures and pictures of streetlite's page."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from hierseg.checkpoint.finding import find_weights
from hierseg.size import Size
from hierseg.streets.rendering import draw_street
from support.scripts import load_script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_script("streetlite_card")
    monkeypatch.setattr(module, "CORRUPTIONS", {"fog": None})
    monkeypatch.setattr(module, "FRAMES", slice(None))
    return module


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Two frames, one of which is all road, and one all sky."""
    for number, train in enumerate((3, 0)):
        name = f"0016E5_{number:05d}.png"
        for folder in ("val", "valannot"):
            (tmp_path / "camvid" / folder).mkdir(parents=True, exist_ok=True)
        image, _ = draw_street(number, Size(64, 96))
        Image.fromarray(image).save(tmp_path / "camvid" / "val" / name)
        Image.fromarray(np.full((64, 96), train, np.uint8)).save(
            tmp_path / "camvid" / "valannot" / name
        )
    return tmp_path / "camvid"


def test_a_card_is_measured_once_and_fills_the_page(
    script: ModuleType, camvid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.json"
    card = script.measure(find_weights("streetlite"), camvid, path)
    names = {"weights", "val", "flip", "clean", "fog 1", "fog 2", "fog 3"}
    assert set(card) == names
    assert card["clean"]["miou"] == pytest.approx(card["val"]["miou"])
    assert card["clean"]["coverage"][0] == 1
    monkeypatch.setattr(script, "evaluate", None)
    assert script.measure(find_weights("streetlite"), camvid, path) == card

    rows = [
        {"run": run, "miou": miou, "pixel_accuracy": "0.9", **{f"iou_{n}": "0.5" for n in "ab"}}
        for run, miou in (("cleared-0", "0.7"), ("cleared-1", "0.8"), ("seed-0-polished", "0"))
    ] + [{"run": "once-without-x", "miou": "0.6", "pixel_accuracy": "1", "iou_a": "nan"}]
    rows[-1]["iou_b"] = "0.25"
    for one in (card["val"], card["flip"]):
        one.update(miou=0.75, iou={"b": 0.5})
    figures = script.format_figures(card, rows)
    assert "| **mIoU** | **75.00** | 75.00 | 75.00 ± 7.07 | **60.00** |" in figures
    assert "| b | 50.00 | 50.00 | 50.00 ± 0.00 | 25.00 |" in figures

    marks = "".join(f"<!-- card:{name} -->old<!-- /card:{name} -->\n" for name in ("a", "b"))
    assert script.fill(f"before {marks} after", {"a": r"\1", "b": "new"}) == (
        "before <!-- card:a -->\n\\1\n<!-- /card:a -->\n<!-- card:b -->\nnew\n<!-- /card:b -->\n"
        " after"
    )
    with pytest.raises(ValueError, match="card:c"):
        script.fill(marks, {"c": ""})


def test_shares_under_corruptions_are_means(script: ModuleType) -> None:
    curve = {"coverage": [1.0] * 11 + [0.5] * 10, "right": [0.8] * 11 + [0.9] * 10}
    same = {"miou": 0.5, "ece": 0.02, **curve}
    worse = {"miou": 0.25, "ece": 0.1, **curve, "right": [0.6] * 11 + [0.7] * 10}
    card = {
        "clean": same,
        "val": {"calibration": [same, same]},
        **{"fog 1": same, "fog 2": worse, "fog 3": worse},
    }
    table = script.format_corruptions(card)
    assert "| fog | 100 | 50 | 50 | 2 | 10 | 10 |" in table
    assert "**66.7 %**" in table
    unknown = script.format_unknown(card)
    # Of 40 % wrong, half of the pixels are kept at 0.7, 30 % of them wrong: 15 % of all.
    assert "| corruptions, severity 2 | 40.00 | 100.0 | 40.00 | 0 | 50.0 | 30.00 | 62 |" in unknown
    drawn = ElementTree.fromstring(script.draw_unknown(card))
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 4
