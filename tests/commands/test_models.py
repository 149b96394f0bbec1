from __future__ import annotations

import re
from pathlib import Path

import pytest

from hierseg import checkpoint as checkpoint_room
from hierseg.cli import main


def test_networks_and_weights_have_a_row_each(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_room, "packaged_weights", lambda: {"lite-x": checkpoint})
    assert main(["models", "l*"]) == 0
    said = capsys.readouterr().out
    [network] = re.findall(r"lite0-ocr-hier +(\d\.\d) M +.*EfficientNet-Lite0", said)
    assert 2 < float(network) < 6
    [miou, size] = re.findall(r"lite-x .* 19 of cityscapes +0\.5 1 +([\d.]+) +([\d.]+) MB", said)[0]
    assert miou == "0.250"
    assert float(size) == pytest.approx(checkpoint.stat().st_size / 1e6, abs=0.1)
    assert "hrnet48" not in said


def test_a_long_list_of_backbones_is_names_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "timm:*resnet*"]) == 0
    assert "timm:resnet18" in capsys.readouterr().out


def test_no_match_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "vgg*"]) == 2
    assert "nothing matches 'vgg*'" in capsys.readouterr().err
