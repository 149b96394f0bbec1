"""A file that is written is compared, and loses its name where it answers otherwise."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hierseg.checkpoint import Header
from hierseg.cli import main
from hierseg.commands.export_checks import tell_report
from hierseg.errors import UsageError
from hierseg.exporting import checked
from hierseg.exporting.checked import Checks, export_checked
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.writing import write_graph
from hierseg.models import SegmentationNetwork
from hierseg.size import Size

OPTIONS = ExportOptions("pt2", Size(64, 96))


@pytest.mark.slow
def test_a_file_and_its_report(
    small: SegmentationNetwork, header: Header, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pt2"
    told: list[str] = []
    report = export_checked(small, header, path, OPTIONS, say=told.append)
    assert report.reason == ""
    assert told[-1] == "timing the network"
    assert tell_report(report) == 0
    said = capsys.readouterr().out
    assert "labels: 0 % of the clear pixels differ" in said
    assert "labels only, so nothing else was compared" in said
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "a.pt2",
        "a.pt2.report",
        "a.pt2.report.json",
    ]
    content = json.loads((tmp_path / "a.pt2.report.json").read_text(encoding="utf-8"))
    assert content["images_from"] == "Miniature Streets"
    assert content["compared"] == "labels"


def test_a_file_of_another_answer_is_renamed(
    small: SegmentationNetwork,
    header: Header,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other: Any = copy.deepcopy(small)
    with torch.no_grad():
        other.head.classify.weight[0] += 1
    monkeypatch.setattr(checked, "write_graph", lambda _, *rest: write_graph(other, *rest))
    path = tmp_path / "a.pt2"
    report = export_checked(small, header, path, OPTIONS)
    assert tell_report(report) == 1
    said = capsys.readouterr().out
    assert "the file is now a.pt2.rejected" in said
    assert "use it as" not in said
    assert not path.exists()
    assert (tmp_path / "a.pt2.rejected").is_file()
    assert (tmp_path / "a.pt2.report" / "index.html").is_file()


def test_reports_of_others_stay(small: SegmentationNetwork, header: Header, tmp_path: Path) -> None:
    (tmp_path / "a.pt2.report.json").write_text("mine")
    with pytest.raises(UsageError, match="not a result of `hierseg export`"):
        export_checked(small, header, tmp_path / "a.pt2", OPTIONS, Checks())
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt2.report.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--root", "."], "--root is the folder of --data"),
        (["--check", "nowhere"], "--check nowhere is not there"),
        (["--limit", "0"], "--limit 0 leaves no images"),
        (["--precision", "int8"], "with --calibrate, or a data set with --data"),
        (["--data", "nothing", "--root", "."], "nothing"),
    ],
)
def test_flags_that_cannot_be(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--out", str(tmp_path / "a.onnx"), *words]) in (1, 2)
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
