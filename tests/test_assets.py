"""``ASSETS_PATH/`` at the start of a path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hierseg import cli
from hierseg.assets import expand_assets, expand_word
from hierseg.checkpoint.finding import find_weights, packaged_weights
from hierseg.errors import UsageError


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "assets"
    (folder / "seg_weights").mkdir(parents=True)
    monkeypatch.setenv("HIERSEG_ASSETS", str(folder))
    return folder


def test_the_beginning_of_a_path_is_replaced(assets: Path) -> None:
    assert expand_assets("ASSETS_PATH/a/b.pth") == str(assets / "a" / "b.pth")
    assert expand_word("--weights=ASSETS_PATH/b.pth") == f"--weights={assets / 'b.pth'}"
    for word in (
        "ASSETS_PATH",
        "x/ASSETS_PATH/b",
        "./ASSETS_PATH/b",
        "ASSETS_PATHS/b",
        "--a=b",
        "",
    ):
        assert expand_word(word) == expand_assets(word) == word


def test_without_the_variable_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", None):
        if value is None:
            monkeypatch.delenv("HIERSEG_ASSETS", raising=False)
        else:
            monkeypatch.setenv("HIERSEG_ASSETS", value)
        assert expand_assets("weights/ASSETS_PATH/a") == "weights/ASSETS_PATH/a"
        with pytest.raises(UsageError, match=r"ASSETS_PATH/a.* not set: export HIERSEG_ASSETS=DIR"):
            expand_assets("ASSETS_PATH/a")


def test_weights_are_found_there_also_as_a_recipe_names_them(assets: Path) -> None:
    file = assets / "seg_weights" / "a.safetensors"
    shutil.copy(packaged_weights()["streets-lite0"], file)
    for source in (
        "ASSETS_PATH/seg_weights/a.safetensors",
        Path("ASSETS_PATH/seg_weights") / file.name,
    ):
        assert find_weights(source) == file
    with pytest.raises(UsageError, match=f"no weights '{assets}"):
        find_weights("ASSETS_PATH/none.pth")


def test_every_command_reads_and_writes_there(
    assets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["convert", "ASSETS_PATH/none.pth", "ASSETS_PATH/own.safetensors"]
    assert cli.main(words) == 2
    assert f"there is no file {assets / 'none.pth'}" in capsys.readouterr().err
    assert cli.main(["predict", "--weights=streetlite", "ASSETS_PATH/none.png", "--out", "o"]) == 2
    assert f"{assets / 'none.png'} does not exist" in capsys.readouterr().err
    monkeypatch.delenv("HIERSEG_ASSETS")
    assert cli.main(words) == 2
    assert "export HIERSEG_ASSETS=DIR" in capsys.readouterr().err
