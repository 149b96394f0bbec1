from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.gpu.report import Figures, Part, Report

Rows = Iterator[tuple[str, Figures]]


def make(name: str, *figures: Figures) -> Part:
    def measure() -> Rows:
        for number, one in enumerate(figures):
            yield f"row {number}", one

    return Part(name, 0, measure)


def test_what_does_not_fit_into_the_budget_is_skipped_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(tmp_path / "gpu.json", 100, {})
    report.run(make("long", {"ms": 1.0})._replace(seconds=1000))
    report.run(make("short", {"ms": 2.0}))
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["long"]["rows"] == {}
    assert "needs about 1000 s" in parts["long"]["skipped"]
    assert parts["short"]["rows"] == {"row 0": {"ms": 2.0}}
    assert not report.failed
    assert "skipped: needs about 1000 s" in capsys.readouterr().out


def test_a_part_that_fails_keeps_its_rows_and_the_next_one_runs(tmp_path: Path) -> None:
    def measure() -> Rows:
        yield "first", {"ms": 1.0}
        raise RuntimeError("CUDA error: no kernel image\nmore of it")

    report = Report(tmp_path / "gpu.json", 100, {})
    report.run(Part("broken", 0, measure))
    report.run(make("whole", {"ms": 2.0}))
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["broken"]["rows"] == {"first": {"ms": 1.0}}
    assert parts["broken"]["failed"] == "RuntimeError: CUDA error: no kernel image"
    assert parts["whole"]["rows"]
    assert report.failed


def test_want_of_memory_is_no_failure(tmp_path: Path) -> None:
    def measure() -> Rows:
        yield "first", {"ms": 1.0}
        raise MemoryError

    report = Report(tmp_path / "gpu.json", 100, {})
    report.run(Part("large", 0, measure))
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["large"]
    assert part["rows"] == {"first": {"ms": 1.0}}
    assert "more memory" in part["skipped"]
    assert not report.failed


def test_an_error_that_the_alarm_has_become_is_no_failure(tmp_path: Path) -> None:
    def measure() -> Rows:
        yield "first", {"ms": 1.0}
        try:
            time.sleep(30)
        except RuntimeError as error:
            raise ValueError("compiling failed") from error

    report = Report(tmp_path / "gpu.json", 0.5, {})
    report.run(Part("compiled", 0, measure))
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["compiled"]
    assert "in the middle" in part["skipped"]
    assert not report.failed


def test_a_check_that_does_not_hold_is_a_failure(tmp_path: Path) -> None:
    report = Report(tmp_path / "gpu.json", 100, {})
    report.run(make("good", {"ok": True}))
    assert not report.failed
    report.run(make("bad", {"ok": False}))
    assert report.failed


def test_a_part_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    def measure() -> Rows:
        yield "first", {"ms": 1.0}
        time.sleep(30)

    report = Report(tmp_path / "gpu.json", 0.5, {})
    begun = time.monotonic()
    report.run(Part("endless", 0, measure))
    assert time.monotonic() - begun < 20
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["endless"]
    assert part["rows"] == {"first": {"ms": 1.0}}
    assert "in the middle" in part["skipped"]
