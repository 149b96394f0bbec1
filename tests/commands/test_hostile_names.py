"""Names that would move a terminal's cursor, forge a line or look like markup, in every command."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hierseg import checkpoint as checkpoint_room
from hierseg import cli
from hierseg.checkpoint.save import save_checkpoint
from hierseg.data.catalog import open_dataset
from hierseg.models.registry import create_model

FORGED = "\nhierseg: all is well\n"
EVIL = f"\x1b[2J\x1b]0;t\x07\x9b1m\r\u202e\u2066\u2028\x7f{FORGED}"
MARKUP = "[red]x[/red][/]:smile:[link=a]"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
BROKEN = f"broken{MARKUP.replace('/', '')}{EVIL.replace('/', '')}.png"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pairs and two classes, with a name of a terminal's nightmares wherever there is one."""
    random = np.random.default_rng(0)
    for name in (f"a{EVIL}", f"b{MARKUP.replace('/', '')}"):
        image = tmp_path / f"img/{name}.png"
        image.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 255, (64, 96, 3), np.uint8)).save(image)
        label = tmp_path / f"ann/{name}_ids.png"
        label.parent.mkdir(exist_ok=True)
        Image.fromarray(random.choice(np.array([7, 8], np.uint8), (64, 96))).save(label)
    description = {
        "name": f"mine{EVIL}{MARKUP}",
        "classes": [
            {"name": f"road{EVIL}", "id": 7, "color": [1, 2, 3]},
            {"name": f"sky{MARKUP}", "id": 8, "color": [4, 5, 6]},
        ],
        "splits": {
            split: {"images": "img/*.png", "labels": "ann/*_ids.png"}
            for split in ("train", "val", f"val{EVIL}")
        },
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(description))
    return path


@pytest.fixture
def weights(data: Path) -> Path:
    space = open_dataset(str(data), None, "train").label_space
    torch.manual_seed(0)
    path = data.with_name("weights.safetensors")
    network = create_model("lite0-ocr-hier", 2)
    save_checkpoint(path, network, space, record={"model": f"lite{EVIL}{MARKUP}", "miou": 0.5})
    return path


class _Terminal:
    """Runs commands, and looks at each character that a terminal would get."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        self._capsys, self._caplog = capsys, caplog

    def run(self, *words: Any) -> tuple[int, str]:
        self._caplog.clear()
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as left:
            status = int(left.code or 0)
        said = "".join(self._capsys.readouterr())
        said += "".join(f"{record.getMessage()}\n" for record in self._caplog.records)
        assert not CONTROL.search(said), repr(said)
        assert "all is well" not in [line[9:] for line in said.splitlines()]
        assert "Traceback" not in said
        return status, said


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> _Terminal:
    caplog.set_level(logging.WARNING)
    return _Terminal(capsys, caplog)


def test_check_shows_names_as_text(data: Path, terminal: _Terminal) -> None:
    status, said = terminal.run("check", data, "--workers", "0")
    assert f"sky{MARKUP}" in said
    assert r"road\x1b[2J" in said
    (data.parent / "img" / BROKEN).write_bytes(b"no image")
    (data.parent / "ann" / f"{BROKEN[:-4]}_ids.png").write_bytes(b"no image")
    status, said = terminal.run("check", data, "--workers", "0")
    assert status == 1
    assert r"\x1b[2J" in said


def test_evaluate_and_what_fits_show_names_as_text(
    data: Path, weights: Path, tmp_path: Path, terminal: _Terminal
) -> None:
    common = ("--data", data, "--weights", weights, "--scales", "1")
    status, said = terminal.run(
        "evaluate", *common, "--boundary", "--worst", "1", "--out", tmp_path / "e"
    )
    assert status == 0
    assert said.count(f"sky{MARKUP}") == 2  # of the table of boundaries too
    assert said.count(r"road\x1b[2J") == 2
    terminal.run("evaluate", *common, "--split", f"val{EVIL}")
    terminal.run("evaluate", *common, "--split", f"nothing{EVIL}{MARKUP}")
    status, said = terminal.run(
        "adjust", *common, "--split", "train", "--out", tmp_path / "a.safetensors"
    )
    assert status == 0
    assert f"sky{MARKUP}" in said
    assert (
        terminal.run("calibrate", *common, "--split", "train", "--out", tmp_path / "c.safetensors")[
            0
        ]
        == 0
    )


def test_predict_and_autolabel_show_names_as_text(
    data: Path, weights: Path, tmp_path: Path, terminal: _Terminal
) -> None:
    (data.parent / "img" / BROKEN).write_bytes(b"no image")
    words = ("--weights", weights, "--scales", "1", "--save", "labels")
    status, said = terminal.run("predict", data.parent / "img", "--out", tmp_path / "p", *words)
    assert status == 3
    assert "broken[red]x[red][]:smile:[link=a]" in said
    assert terminal.run("predict", "--data", data, "--out", tmp_path / "q", *words)[0] == 3
    page = (tmp_path / "p" / "index.html").read_text(encoding="utf-8", errors="surrogateescape")
    assert "sky[red]" in page
    assert terminal.run("predict", data.parent / f"no{EVIL}", "--out", tmp_path / "r")[0] == 2
    status, said = terminal.run(
        "autolabel", "--data", data, "--weights", weights, "--scales", "1", "--out", tmp_path / "l"
    )
    assert status == 3
    assert f"sky{MARKUP}" in said


def test_models_shows_names_as_text(
    weights: Path, terminal: _Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"lite{MARKUP}{EVIL}"
    monkeypatch.setattr(checkpoint_room, "packaged_weights", lambda: {name: weights})
    status, said = terminal.run("models", "lite*x*")
    assert status == 0
    assert f"lite{MARKUP}" in said
    assert terminal.run("models", f"nothing{EVIL}")[0] == 2


def test_tensors_are_named_as_text(weights: Path, tmp_path: Path, terminal: _Terminal) -> None:
    tensors = load_file(weights)
    tensors[f"surplus{EVIL}{MARKUP}"] = torch.zeros(3)
    save_file(tensors, tmp_path / "more.safetensors")
    torch.save(tensors, tmp_path / "more.pth")
    for file in ("more.safetensors", "more.pth"):
        status, _ = terminal.run("predict", weights.parent / "img", "--out", tmp_path / "o",
                                 "--weights", tmp_path / file)  # fmt: skip
        assert status in (1, 2)
    assert terminal.run("convert", tmp_path / "more.pth", tmp_path / "n.safetensors")[0] == 1


def test_what_training_says_is_text(data: Path, tmp_path: Path, terminal: _Terminal) -> None:
    words = (
        "train", "streets-lite0", "--data.name", data, "--data.crop", "64x64", "--data.batch", "1",
        "--data.workers", "0", "--model.no-pretrained", "--optim.epochs", "1",
        "--runtime.limit-batches", "1", "--data.class-uniform", "0",
    )  # fmt: skip
    terminal.run(*words, "--runtime.out", tmp_path / f"run{EVIL}")
    record = tmp_path / "run" / "run.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"hierseg": EVIL, "experiment": {EVIL: MARKUP}, EVIL: 1}))
    terminal.run(*words, "--runtime.out", tmp_path / "run", "--runtime.resume")
    terminal.run(*words, "--runtime.out", tmp_path / "run2", "--model.name", f"no{EVIL}")
    terminal.run("train", f"no{EVIL}")
    terminal.run(f"no{EVIL}")
