"""`hierseg fit-gate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hierseg.checkpoint.annotate import annotate_checkpoint
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.engines.torch_engine import fingerprint
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.size import Size
from hierseg.streets import write_streets

SCALES = ("--scales", "0.5", "1", "2")


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five scenes for training and one for validation, small."""
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, 6, Size(64, 96), seed=1, val_fraction=0.17)
    return root


@pytest.fixture(scope="module")
def fitted(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of drawn scenes in half precision, with a temperature, and then with a gate."""
    folder = tmp_path_factory.mktemp("own")
    own, out = folder / "own.safetensors", folder / "gated.safetensors"
    network = load_model("streets-lite0")
    save_checkpoint(own, network, CITYSCAPES, {"miou": 0.7}, half=True)
    annotate_checkpoint(own, own, network, {"temperature": 1.5})
    words = ("--root", streets, "--weights", own, "--out", out, *SCALES)
    assert _fit(*words) == 0
    return out


def _fit(*words: object) -> int:
    return main(["fit-gate", "--data", "cityscapes", *map(str, words)])


def test_the_weights_keep_what_they_had_and_gain_a_gate(fitted: Path) -> None:
    own = fitted.with_name("own.safetensors")
    before, after = load_file(own), load_file(fitted)
    added = after.keys() - before.keys()
    assert added == {
        f"gate.{part}.{kind}" for part in ("mix", "foretell") for kind in ("weight", "bias")
    }
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(after[name].dtype == before[name].dtype for name in before)
    header, old = read_header(fitted), read_header(own)
    assert header.arguments == {**old.arguments, "gate_channels": 8}
    assert header.temperature == 1.5
    assert header.record == old.record
    about = header.extra["gate"]
    assert about["scales"] == [0.5, 1.0, 2.0]
    assert (about["data"], about["split"], about["images"]) == ("cityscapes", "train", 5)
    assert set(about["gained"]) == {"all", "learned", "disagreement", "product"}


def test_a_gate_goes_to_the_file_and_back(fitted: Path, tmp_path: Path) -> None:
    network = load_model(fitted)
    assert network.gate is not None
    again = tmp_path / "again.safetensors"
    save_checkpoint(again, network, CITYSCAPES)
    loaded = load_model(again)
    assert loaded.gate is not None
    assert torch.equal(loaded.gate.mix.weight, network.gate.mix.weight)
    assert fingerprint(loaded) == fingerprint(network)
    assert fingerprint(loaded) != fingerprint(load_model(fitted.with_name("own.safetensors")))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_gate(streets: Path, fitted: Path, tmp_path: Path) -> None:
    own, out = fitted.with_name("own.safetensors"), tmp_path / "again.safetensors"
    assert _fit("--root", streets, "--weights", own, "--out", out, *SCALES) == 0
    first, second = load_file(fitted), load_file(out)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_is_used_and_told(
    streets: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    words = ["evaluate", "--data", "cityscapes", "--root", streets, "--weights", fitted]
    words += [*SCALES, "--budget", "0.9", "--gate-by", "learned", "--json", result]
    assert main([*map(str, words), "--device", "cpu"]) == 0
    assert "budget 0.9 by learned" in capsys.readouterr().out
    assert "budget 0.9 by learned" in json.dumps(json.loads(result.read_text()))


def test_what_cannot_be_is_refused(
    streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain.safetensors"
    save_checkpoint(plain, create_model("lite0-ocr-hier", hierarchical=False), CITYSCAPES)
    out = ("--out", tmp_path / "gated.safetensors", "--root", streets)
    for words, said in (
        ((*out, "--weights", plain, *SCALES), "fit-gate is for hierarchical networks"),
        (
            (*out, "--weights", "streets-lite0", "--scales", "1"),
            "there is one scale; give --scales 0.5 1",
        ),
        ((*out, "--weights", "streets-lite0", "--flip"), "--flip does not change"),
        ((*out, "--weights", "streets-lite0", "--budget", "0.5"), "--budget does not change"),
        ((*out, "--weights", "streets-lite0", "--engine", "torch"), "--engine does not change"),
        ((*out, "--weights", "streets-lite0", "--gate-by", "entropy"), "--gate-by does not change"),
        ((*out, "--weights", "streets-lite0", "--limit", "0"), "--limit 0 leaves no images"),
    ):
        assert _fit(*words) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "gated.safetensors").exists()
