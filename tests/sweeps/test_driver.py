from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hierseg.files import FolderLock
from hierseg.sweeps import (
    Driver,
    EarlyStop,
    LocalRunner,
    Outcome,
    PlannedRun,
    Resources,
    RunPlace,
)
from sweeps.fakes import fake, launch_fake, list_attempts, make_sweep

TESTS = Path(__file__).resolve().parents[1]


def run_sweep(out: Path, *runs: PlannedRun, slots: int = 2, **settings: Any) -> Outcome:
    said: list[str] = []
    sweep = make_sweep(out, *runs, **settings)
    return Driver(sweep, LocalRunner(slots), launch_fake, said.append, patience=20).run()


def names(paths: Any) -> list[str]:
    return sorted(path.name for path in paths)


def test_a_run_has_folder_command_log_and_status(tmp_path: Path) -> None:
    run = fake("one", "--steps", "2", lr=0.1)
    outcome = run_sweep(tmp_path, run)
    place = RunPlace(tmp_path / "one")
    assert (names(outcome.done), outcome.failed, outcome.left) == (["one"], [], 0)
    assert place.command.read_text() == f"{run.show(place.path)}\n"
    assert place.command.read_text().startswith("hierseg train --steps 2 --runtime.out ")
    assert place.log.read_text().splitlines()[1:] == ["step 1", "step 2"]
    assert place.find_state() == "done"
    [attempt] = place.read_status()["attempts"]
    assert attempt["exit_status"] == 0
    assert attempt["started"] <= attempt["ended"]


def test_success_is_not_repeated_wherever_it_stands_and_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    first, second = fake("a", "--value", "1"), fake("b", "--value", "2")
    run_sweep(tmp_path, first, second)
    renamed = fake("variant-b", "--value", "2")
    outcome = run_sweep(tmp_path, fake("c", "--value", "3"), renamed, first)
    assert names(outcome.done) == ["a", "b", "c"]
    for name in "abc":
        assert list_attempts(tmp_path, name) == [0]


def test_other_settings_under_one_name_get_a_folder_of_their_own(tmp_path: Path) -> None:
    run_sweep(tmp_path, fake("a", "--value", "1"))
    other = fake("a", "--value", "2")
    outcome = run_sweep(tmp_path, other)
    assert names(outcome.done) == [f"a-{other.identity[:6]}"]
    assert list_attempts(tmp_path, "a") == [0]


def test_a_failure_is_retried_from_where_it_was_and_then_listed(tmp_path: Path) -> None:
    once = fake("once", "--steps", "4", "--fail-once")
    killed = fake("killed", "--steps", "4", "--die-once")
    always = fake("always", "--fail")
    outcome = run_sweep(tmp_path, once, killed, always, retries=1)
    assert names(outcome.done) == ["killed", "once"]
    assert names(outcome.failed) == ["always"]
    assert list_attempts(tmp_path, "once") == [0, 2]
    assert list_attempts(tmp_path, "killed") == [0, 2]
    assert list_attempts(tmp_path, "always") == [0, 3]
    status = RunPlace(tmp_path / "always").read_status()
    assert [attempt["reason"] for attempt in status["attempts"]] == ["never any good"] * 2
    assert [attempt["resumed"] for attempt in status["attempts"]] == [False, True]


def test_settings_that_are_refused_are_not_tried_again(tmp_path: Path) -> None:
    outcome = run_sweep(tmp_path, fake("wrong", "--refuse", "--steps", "0"), retries=3)
    assert names(outcome.failed) == ["wrong"]
    assert list_attempts(tmp_path, "wrong") == [0]
    [attempt] = RunPlace(tmp_path / "wrong").read_status()["attempts"]
    assert attempt["exit_status"] == 2


def test_without_retries_a_failure_is_left_and_the_next_call_goes_on(tmp_path: Path) -> None:
    run = fake("once", "--steps", "4", "--fail-once")
    assert names(run_sweep(tmp_path, run).failed) == ["once"]
    assert names(run_sweep(tmp_path, run).done) == ["once"]
    assert list_attempts(tmp_path, "once") == [0, 2]


def test_what_was_killed_before_it_was_a_run_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "a" / "run").mkdir(parents=True)
    (tmp_path / "a" / "run" / "data.csv").write_text("half a")
    run = fake("a")
    RunPlace(tmp_path / "a").write_plan(run)
    assert names(run_sweep(tmp_path, run).done) == ["a"]
    [kept] = (tmp_path / "a").glob("run.began-*/data.csv")
    assert kept.read_text() == "half a"


def test_fail_fast_ends_the_others_which_can_go_on(tmp_path: Path) -> None:
    long = fake("long", "--steps", "400", "--pause", "0.05")
    runs = (long, fake("bad", "--fail"), fake("later"))
    outcome = run_sweep(tmp_path, *runs, fail_fast=True)
    assert names(outcome.failed) == ["bad"]
    assert (outcome.done, outcome.left) == ([], 2)
    assert RunPlace(tmp_path / "long").find_state() == "stopped"
    assert not (tmp_path / "later").exists()


def test_a_budget_of_time_ends_a_sweep_and_the_next_call_goes_on(tmp_path: Path) -> None:
    run = fake("long", "--steps", "60", "--pause", "0.05")
    sweep = make_sweep(tmp_path, run, budget=0.7)

    class Patient(LocalRunner):
        def wait(self, seconds: float) -> list[str]:
            wait_for(lambda: (tmp_path / "long" / "run" / "state").is_file())
            time.sleep(0.8)
            return super().wait(seconds)

    outcome = Driver(sweep, Patient(), launch_fake, lambda _: None, patience=20).run()
    assert (outcome.is_over, outcome.left, outcome.failed) == (True, 1, [])
    assert names(run_sweep(tmp_path, run).done) == ["long"]
    first, second = list_attempts(tmp_path, "long")
    assert (first, second > 0) == (0, True)
    assert int((tmp_path / "long" / "run" / "state").read_text()) == 60


def test_ctrl_c_leaves_a_state_that_continues(tmp_path: Path) -> None:
    run = fake("long", "--steps", "60", "--pause", "0.05")

    def interrupt() -> None:
        wait_for(lambda: (tmp_path / "long" / "run" / "state").is_file())
        os.kill(os.getpid(), signal.SIGINT)

    # What a shell starts in the background ignores Ctrl-C from the beginning.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run_sweep(tmp_path, run)
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert RunPlace(tmp_path / "long").find_state() == "stopped"
    run_sweep(tmp_path, run)
    assert list_attempts(tmp_path, "long")[1] > 0
    assert RunPlace(tmp_path / "long").find_state() == "done"


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


DRIVER = """
import sys
from pathlib import Path
from hierseg.sweeps import Driver, LocalRunner
from sweeps.fakes import fake, launch_fake, make_sweep
run = fake("long", "--steps", "60", "--pause", "0.05")
Driver(make_sweep(Path(sys.argv[1]), run), LocalRunner(1), launch_fake, patience=20).run()
"""


def start_driver(out: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent / 'src'}"}
    return subprocess.Popen([sys.executable, "-c", DRIVER, str(out)], env=environment)


def test_a_driver_that_is_killed_takes_its_run_along_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    place = RunPlace(tmp_path / "long")
    driver = start_driver(tmp_path)
    wait_for(lambda: (place.run / "state").is_file())
    driver.kill()
    driver.wait()
    wait_for(lambda: place.find_state() == "stopped")
    assert start_driver(tmp_path).wait(60) == 0
    assert list_attempts(tmp_path, "long")[1] > 0
    assert place.find_state() == "done"


def test_a_supervisor_that_is_killed_is_started_again_and_is_no_failure(tmp_path: Path) -> None:
    place = RunPlace(tmp_path / "long")
    run = fake("long", "--steps", "60", "--pause", "0.05")

    def kill() -> None:
        wait_for(lambda: (place.run / "state").is_file())
        os.kill(place.read_status()["attempts"][0]["process"], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    outcome = run_sweep(tmp_path, run)
    thread.join()
    assert names(outcome.done) == ["long"]
    first, second = list_attempts(tmp_path, "long")
    assert second > first
    rows = (place.run / "epochs.csv").read_text().splitlines()
    assert len(rows) == 61  # no two of them ran at once


def test_a_run_without_progress_is_ended_early_and_counts_as_done(tmp_path: Path) -> None:
    flat = fake("flat", "--steps", "200", "--pause", "0.05", "--value", "0")
    rule = EarlyStop(patience=3)
    outcome = run_sweep(tmp_path, flat, early_stop=rule)
    place = RunPlace(tmp_path / "flat")
    assert names(outcome.done) == ["flat"]
    assert place.find_state() == "stopped early"
    assert "without a better miou" in place.read_status()["attempts"][0]["reason"]
    run_sweep(tmp_path, flat, early_stop=rule)
    assert len(list_attempts(tmp_path, "flat")) == 1


def test_a_run_that_another_process_runs_already_is_waited_for_and_not_repeated(
    tmp_path: Path,
) -> None:
    place = RunPlace(tmp_path / "long")
    driver = start_driver(tmp_path)
    wait_for(lambda: (place.run / "state").is_file())
    outcome = run_sweep(tmp_path, fake("long", "--steps", "60", "--pause", "0.05"))
    assert driver.wait(60) == 0
    assert names(outcome.done) == ["long"]
    assert list_attempts(tmp_path, "long") == [0]


def test_a_status_that_is_damaged_counts_as_none(tmp_path: Path) -> None:
    run_sweep(tmp_path, fake("a"))
    place = RunPlace(tmp_path / "a")
    place.status.write_text("[1")
    assert place.find_state() == "waiting"
    place.status.write_text(json.dumps({"state": "excellent"}))
    assert place.find_state() == "waiting"


def test_a_command_that_its_supervisor_has_left_behind_is_waited_for(tmp_path: Path) -> None:
    place, run = RunPlace(tmp_path / "a"), fake("a")
    place.write_plan(run)
    place.run.mkdir()
    with FolderLock(place.run):
        timer = threading.Timer(2.0, (place.run / ".hierseg.lock").unlink)
        timer.start()
        began = time.monotonic()
        assert names(run_sweep(tmp_path, run).done) == ["a"]
    assert time.monotonic() - began > 2


def test_each_run_has_gpus_of_its_own(tmp_path: Path) -> None:
    code = "import os, time; time.sleep(0.5); print(os.environ['CUDA_VISIBLE_DEVICES'])"
    runs = [fake(name, name) for name in "abcd"]
    sweep = make_sweep(tmp_path, *runs)
    runner = LocalRunner(2, ["4", "5", "7", "8"], 2)
    Driver(sweep, runner, lambda run, folder: [sys.executable, "-c", code], lambda _: None).run()
    given = [(tmp_path / name / "log.txt").read_text().splitlines()[-1] for name in "abcd"]
    assert set(given) == {"4,5", "7,8"}
    assert sorted(given[:2]) == ["4,5", "7,8"]  # at once


def test_threads_are_the_cores_of_a_run(tmp_path: Path) -> None:
    code = "import os; print(os.environ['OMP_NUM_THREADS'], os.getcwd())"
    sweep = make_sweep(tmp_path, fake("a"), resources=Resources(cpus=3))
    Driver(sweep, LocalRunner(), lambda run, folder: [sys.executable, "-c", code]).run()
    assert (tmp_path / "a" / "log.txt").read_text().splitlines()[-1] == f"3 {Path.cwd()}"


def test_a_command_that_cannot_be_started_fails_with_a_word(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, fake("a"))
    outcome = Driver(sweep, LocalRunner(), lambda run, folder: ["/no/such/program"]).run()
    assert names(outcome.failed) == ["a"]
    assert "/no/such/program cannot be started" in (tmp_path / "a" / "log.txt").read_text()
