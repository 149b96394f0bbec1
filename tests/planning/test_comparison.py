from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from hierseg.planning import (
    Finding,
    Request,
    Row,
    compare_engines,
    comparison,
    describe_rows,
    draw_comparison,
)
from hierseg.planning.engine_run import MAPS
from hierseg.processes import FAILED, FOUND

FINDING = Finding(("openvino", "bf16"), 20.0, 1.5, 300, None, 4e12)


def make_request(engine: str, precision: str) -> Request:
    return Request(None, "cpu", engine, precision, "64x128", None, 3, "")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that need no torch, and do what is written in place of the engine."""

    def command(*words: str) -> list[str]:
        request = json.loads(words[-1])
        folder = Path(request["folder"])
        if request["engine"] == "onnxruntime":
            return [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"]
        if request["engine"] == "compile":
            return [sys.executable, "-c", "raise SystemError('no compiler')"]
        labels, confidence = np.zeros((4, 5), np.uint8), np.full((4, 5), 0.5, np.float32)
        found = asdict(FINDING) | {"ran": [request["engine"], request["precision"]]}
        if request["engine"] == "torch":
            found |= {"milliseconds": 80.0, "flops": 40_000_000_000}
        else:
            labels[0, 0], confidence[1, 1] = 1, 0.75
        if request["precision"] == "int8":
            folder.joinpath(FAILED).write_text('{"reason": "this graph has no int8."}')
            return [sys.executable, "-c", ""]
        np.savez(folder / MAPS, labels=labels, confidence=confidence)
        folder.joinpath(FOUND).write_text(json.dumps(found))
        return [sys.executable, "-c", ""]

    monkeypatch.setattr(comparison, "child_command", command)


@pytest.mark.usefixtures("stand_in")
def test_what_crashes_or_cannot_be_run_costs_its_own_row() -> None:
    told: list[tuple[int, int]] = []
    rows = compare_engines(
        [
            make_request("torch", "float32"),
            make_request("onnxruntime", "float32"),
            make_request("compile", "float32"),
            make_request("openvino", "int8"),
            make_request("openvino", "bf16"),
        ],
        lambda *numbers: told.append(numbers),
    )
    reference, crashed, failed, refused, fast = rows
    assert (reference.equal, reference.difference) == (1.0, 0.0)
    assert crashed.reason == "crashed (SIGSEGV)"
    assert failed.reason == "failed (SystemError: no compiler)"
    assert refused.reason == "this graph has no int8."
    assert fast.equal == pytest.approx(19 / 20)
    assert fast.difference == pytest.approx(0.25)
    assert fast.rate == pytest.approx(2e12)
    assert fast.share == pytest.approx(0.5)
    assert told[-1] == (5, 5)
    described = describe_rows(rows)
    assert described[1]["reason"] == "crashed (SIGSEGV)"
    assert described[4]["images_a_second"] == pytest.approx(50)
    assert json.loads(json.dumps(described)) == described
    assert draw_comparison(rows, "engines").ndim == 3


@pytest.mark.usefixtures("stand_in")
def test_without_a_reference_nothing_is_said_of_agreement() -> None:
    (row,) = compare_engines([make_request("openvino", "bf16")])
    assert row.finding is not None
    assert (row.equal, row.difference, row.rate, row.share) == (None, None, None, None)


def test_a_child_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(comparison, "child_command", lambda *_: command)
    monkeypatch.setattr(comparison, "LIMIT", 0.2)
    (row,) = compare_engines([make_request("torch", "float32")])
    assert row.finding is None
    assert row.reason.startswith("given up")


def test_what_ran_is_named_where_it_was_left_open() -> None:
    assert Row("1x1", "auto", "auto", FINDING).name == "auto: openvino bf16"
    assert Row("1x1", "openvino", "bf16", FINDING).name == "openvino bf16"
    assert Row("1x1", "auto", "auto").name == "auto"
