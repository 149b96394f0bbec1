from __future__ import annotations

import json
from pathlib import Path

import pytest

from hierseg.cli import main
from support.moving import draw_clip, write_clip


def test_estimators_are_compared_in_a_table_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = write_clip(tmp_path / "clips", draw_clip(4, 48, 64, step=(3, 0)))
    out = tmp_path / "flow.json"
    words = ["flow", str(clips), "--flow", "dis", "--count", "2", "--json", str(out)]
    assert main([*words, "--device", "cpu"]) == 0
    head, repeat, dis, count = capsys.readouterr().out.splitlines()
    assert head.split() == ["PSNR", "dB", "SSIM", "error", "end-point", "seconds"]
    assert repeat.split()[0] == "repeat"
    assert dis.split()[0] == "dis"
    assert count == "2 frames made"
    figures = json.loads(out.read_text())["flow"]
    assert [one["name"] for one in figures] == ["repeat", "dis"]
    assert figures[1]["psnr"] > figures[0]["psnr"]
    assert figures[1]["distance"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", "0"], "--count 0"),
        (["--flow", "none"], "--flow none"),
        (["--truth", "nowhere"], "nowhere"),
        ([], "CLIPS"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["flow", str(tmp_path), *words, "--device", "cpu"]) == 2
    assert said in capsys.readouterr().err
