from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hierseg.cli import main
from hierseg.commands import outlook
from hierseg.commands.outlook import Outlook, describe_time
from hierseg.engines.foreseeing import Foreseen
from hierseg.engines.torch_engine import TorchEngine
from hierseg.inference.segmenter import Segmenter
from hierseg.models import create_model
from hierseg.options import RunOptions
from hierseg.size import Size


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    torch.manual_seed(0)
    return TorchEngine(create_model("lite0-ocr-hier", 3))


@pytest.fixture(autouse=True)
def _foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hierseg.engines.foresee", lambda *_: Foreseen("torch float32", 1e-6), raising=False
    )
    monkeypatch.setattr(
        "hierseg.inference.footprint.Footprint.estimate", lambda self, size: 1e6 * size.height
    )
    monkeypatch.setattr("hierseg.engines.read_resident", lambda: 0, raising=False)


def write_images(folder: Path, number: int, size: tuple[int, int] = (40, 50)) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{index:02}.png" for index in range(number)]
    for path in paths:
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)
    return paths


def test_a_long_run_is_foretold_with_time_and_memory(
    engine: TorchEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Outlook("w", Segmenter(engine)).describe([Size(1000, 1000)], 90)
    assert line == (
        "w, 3 classes, on cpu by torch float32 at scales 0.5 1: 90 images of 1000x1000, "
        "about 90 s and 0.9 GB of memory"
    )


def test_what_is_run_of_an_image_is_counted(engine: TorchEngine) -> None:
    def seconds(**given: Any) -> str:
        segmenter = Segmenter(engine, RunOptions(scales=(0.5, 1.0), **given))
        return Outlook("w", segmenter).describe([Size(1000, 2000)], 10).split("about ")[1]

    assert seconds().startswith("20 s")
    assert seconds(flip=True).startswith("40 s")
    assert seconds(long_edge=1000).startswith("5 s")
    assert seconds(budget=0.5).startswith("10 s")
    assert seconds(mode="slide", window=Size(1000, 1000), overlap=0.0).startswith("20 s")
    assert seconds(mode="slide", window=Size(1000, 1000), overlap=0.5).startswith("30 s")
    at = Outlook("w", Segmenter(engine), at=lambda size: Size(10, 10))
    assert "about 1 s" in at.describe([Size(1000, 2000)], 10)


def test_how_it_is_run_is_said(engine: TorchEngine) -> None:
    how = RunOptions(scales=(0.5, 1.0), flip=True, mode="slide", window=Size(64, 64), budget=0.5)
    line = Outlook("w", Segmenter(engine, how)).describe([Size(40, 50), Size(60, 70)], 2)
    assert "at scales 0.5 1, with the mirrored image, by windows 64x64 overlapping by 0.25" in line
    assert "budget 0.5 by auto: 2 images of about 60x70" in line


def test_a_few_images_or_those_run_elsewhere_are_not_measured(
    engine: TorchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr("hierseg.engines.foresee", fail, raising=False)
    few = Outlook("w", Segmenter(engine)).describe([Size(40, 50)], 7)
    assert few.endswith("by torch float32 at scales 0.5 1: 7 images of 40x50")
    there = Outlook("w", Segmenter(engine, RunOptions(engine="openvino")), here=False)
    assert "by openvino at" in there.describe([Size(40, 50)], 700)
    assert Outlook("w", Segmenter(engine)).describe([], 700).endswith("700 images")


def test_frames_of_unknown_number_have_memory_and_no_time(
    engine: TorchEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    Outlook("w", Segmenter(engine)).say_frames(Size(500, 500), None)
    assert ": frames of 500x500, about 0.5 GB of memory\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "1 s"), (99.4, "99 s"), (100, "2 min"), (5900, "98 min"), (5990, "1 h 40 min"),
     (90_000, "25 h")],
)  # fmt: skip
def test_a_time_is_said_in_words(seconds: float, words: str) -> None:
    assert describe_time(seconds) == words


def test_predict_says_it_of_what_is_left_unless_it_is_quiet(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "in", 8)
    (tmp_path / "in" / "00.png").write_bytes(b"no image")
    words = ["predict", str(tmp_path / "in"), "--weights", str(checkpoint), "--scales", "1"]
    words += ["--engine", "torch", "--save", "labels", "--out", str(tmp_path / "out")]
    assert main(words) == 3
    said = capsys.readouterr().err
    [line] = [line for line in said.splitlines() if line.startswith(str(checkpoint))]
    assert ": 8 images of 40x50, about 1 s and " in line
    assert main([*words, "-q"]) == 3
    assert "classes" not in capsys.readouterr().err
    (tmp_path / "out" / "01_labels.png").unlink()
    assert main(words) == 3
    assert ": 2 images of 40x50\n" in capsys.readouterr().err


def test_evaluate_says_it_once(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from hierseg.streets.layouts import draw_scenes, write_cityscapes

    write_cityscapes(tmp_path, draw_scenes(3, Size(64, 96)))
    words = ["evaluate", "--data", "cityscapes", "--root", str(tmp_path), "--scales", "1"]
    words += ["--weights", str(checkpoint), "--long-edge", "64", "--limit", "1"]
    monkeypatch.setattr(outlook, "MANY", 1)
    assert main(words) == 0
    said = capsys.readouterr().err
    assert said.count(" on cpu by torch float32 at scales 1: 1 image of 64x96, about 1 s") == 1
    assert main([*words, "-q"]) == 0
    assert capsys.readouterr().err == ""
