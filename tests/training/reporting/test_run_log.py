from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.training.reporting.observer import EpochReport, RunReport, StepReport
from hierseg.training.reporting.run_log import RunLog


def _begin(log: RunLog, folder: Path, step: int = 0) -> None:
    log.on_begin(RunReport(folder, "tiny", "lite0-ocr", "cpu", 6, 2, 3, 4, step))


def test_what_a_plain_display_says_stays_and_a_resumed_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = RunLog(tmp_path / "run" / "run.log")
    log.say_aside("a state is damaged")
    assert capsys.readouterr().err == "a state is damaged\n"
    _begin(log, tmp_path)
    log.on_step(StepReport(1, 3, 2, 12, 2, 4, {"loss": 0.5}, 0.01, 3.0, 60.0))
    log.on_step(StepReport(1, 3, 3, 12, 3, 4, {"loss": 0.5}, 0.01, 3.0, 60.0, is_logged=False))
    log.on_validation(1, 2)
    log.on_validation(2, 2)
    log.on_epoch(EpochReport(1, 3, 4, 0.75, 61.0))
    log.on_end(None)
    lines = log.path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "a state is damaged"
    assert ", hierseg " in lines[1]
    assert lines[2].startswith("tiny: lite0-ocr, 6 images")
    assert lines[3].startswith("epoch 1/3  step 2/4  loss 0.5000")
    assert lines[4:] == ["validated 2 images", "epoch 1/3: loss 0.7500, 1:01"]
    again = RunLog(log.path)
    _begin(again, tmp_path, step=4)
    again.on_message("name\x1b[2J")
    again.on_end(KeyboardInterrupt("interrupted; it is saved."))
    lines = log.path.read_text(encoding="utf-8").splitlines()
    assert lines[7].endswith("; resumed after step 4")
    assert lines[8:] == ["name\\x1b[2J", "interrupted; it is saved."]


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.log").mkdir()
    _begin(RunLog(tmp_path / "run.log"), tmp_path)
