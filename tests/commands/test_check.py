from __future__ import annotations

import json
from pathlib import Path

import pytest

from hierseg.cli import main
from support.damage import add_an_unknown_id, misspell_a_key, write_sound


def test_a_sound_data_set_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_sound(tmp_path)
    assert main(["check", str(data), "--workers", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["train", "4", "4", "0", "64x96", "(4)"]
    assert lines[-1].endswith("data.yaml can be trained on.")


def test_damage_is_exit_status_one_and_goes_to_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_sound(tmp_path)
    add_an_unknown_id(tmp_path)
    out = tmp_path / "report.json"
    assert main(["check", str(data), "--workers", "0", "--json", str(out)]) == 1
    assert "label id 99 belongs to no class: 1 pixel in 1 file" in capsys.readouterr().out
    assert json.loads(out.read_text())["splits"][0]["unknown_ids"][0]["id"] == 99
    misspell_a_key(tmp_path)
    assert main(["check", str(data), "--workers", "0"]) == 1
    assert "ingore" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["camvvid", "--root", "."], 2, "there is no data set 'camvvid'"),
        (["camvid"], 2, "--root"),
        (
            ["camvid", "--root", ".", "--workers", "-1"],
            2,
            "--workers -1 is negative; give 0 or more",
        ),
        (["camvid", "--root", ".", "--json", "nowhere/a.json"], 1, "no folder nowhere for --json"),
    ],
)
def test_what_cannot_be_checked_is_a_sentence(
    arguments: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == status
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
