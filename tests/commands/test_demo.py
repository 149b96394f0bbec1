from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.cli import main


def test_the_demo_says_where_its_page_is(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo out"
    words = ["--count", "2", "--size", "64x128", "--weights", checkpoint]
    assert main(["demo", "--out", str(out), *map(str, words)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("2 scenes segmented, mIoU 0.")
    assert said[1] == (out / "index.html").as_uri()
    assert "%20" in said[1]
    assert "streetlite" in said[2]
    assert said[2].endswith("hierseg predict PICTURES --out masks")
    assert (out / "index.html").is_file()


def test_a_demo_of_nothing_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path), "--count", "0"]) == 2
    assert "--count" in capsys.readouterr().err
    assert main(["demo", "--out", str(tmp_path), "--size", "9999x9999"]) == 2
    assert "--size of at most 40 million pixels" in capsys.readouterr().err
