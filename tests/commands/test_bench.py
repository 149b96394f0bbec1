from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hierseg.engines
import hierseg.planning
from hierseg.cli import main
from hierseg.planning import Finding, Request, Row

FINDING = Finding(("torch", "float32"), 20.0, 1.5, 300_000_000, 10**9, 1e11)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would have been run."""
    requests: list[Request] = []

    def compare(given: Sequence[Request], progress: Callable[[int, int], None]) -> list[Row]:
        requests.extend(given)
        return [
            Row(one.size, one.engine, one.precision, FINDING, "", 10**9, 1.0, 0.0)
            if one.engine != "openvino"
            else Row(one.size, one.engine, one.precision, None, "crashed (SIGSEGV)")
            for one in given
        ]

    monkeypatch.setattr(hierseg.planning, "compare_engines", compare)
    return requests


def test_engines_are_compared_and_written_down(
    asked: list[Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    words = ["bench", "--sizes", "64x128", "96x96", "--engines", "openvino", "torch"]
    words += ["--precision", "bf16", "--device", "cpu", "--json", str(out), "--plot", str(plot)]
    assert main(words) == 0
    pairs = [(one.size, one.engine, one.precision) for one in asked]
    assert pairs == [
        (size, *pair)
        for size in ("64x128", "96x96")
        for pair in (("torch", "float32"), ("openvino", "bf16"), ("torch", "bf16"))
    ]
    said = capsys.readouterr().out
    assert "64x128 openvino bf16: crashed (SIGSEGV)" in said
    assert "torch bf16" in said
    content = json.loads(out.read_text())
    assert content["command"] == "bench"
    assert [row["size"] for row in content["rows"]] == [one.size for one in asked]
    assert content["machine"]["threads"] >= 1
    assert plot.stat().st_size > 1000
    assert main(words) == 0  # its own files it replaces


@pytest.mark.usefixtures("asked")
def test_where_nothing_runs_the_status_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("64x128", "torch", "float32", None, "crashed (SIGILL)")
    monkeypatch.setattr(hierseg.planning, "compare_engines", lambda *_: [row])
    assert main(["bench", "--sizes", "64x128", "--device", "cpu"]) == 1


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sizes", "large"], "large"),
        (["--repeats", "0"], "--repeats 0"),
        (["--scales", "0"], "scales"),
        (["--plot", "chart.svg"], "*.png"),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_weights_that_are_not_there_are_said_before_any_engine_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(hierseg.planning, "compare_engines", lambda *given: ran.append(given) or [])
    assert main(["bench", "--weights", "nothere"]) == 2
    assert "nothere" in capsys.readouterr().err
    assert not ran


def test_what_is_remembered_is_shown_and_forgotten(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"weights": "0123456789abcdef", "size": [512, 1024], "scales": [0.5, 1.0]}
    picked = SimpleNamespace(about=about, describe=lambda: "openvino bf16, 3.0 times as fast")
    remembered: list[Any] = [picked]
    monkeypatch.setattr(hierseg.engines, "list_trials", lambda: list(remembered), raising=False)
    monkeypatch.setattr(hierseg.engines, "clear_trials", remembered.clear, raising=False)
    assert main(["bench", "--remembered"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("0123456789abcdef, images up to 512x1024 at 0.5 1: openvino bf16")
    assert main(["bench", "--forget"]) == 0
    assert capsys.readouterr().out == "1 trial forgotten.\n"
    assert remembered == []
    assert main(["bench", "--remembered"]) == 0
    assert "nothing is remembered" in capsys.readouterr().out
