"""What a process that hierseg starts must not take from the current folder: code and libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hierseg.evaluation import official
from hierseg.processes import (
    child_command,
    child_environment,
    find_program,
    guard_children,
    is_running,
)
from hierseg.training.folder import find_commit
from hierseg.training.signals import ask_for_requeue

MODULES = ("numpy", "json", "cv2", "tempfile", "torch")
HOSTILE = (
    "from pathlib import Path; Path(__file__).with_name('ran').touch(); raise SystemExit(66)\n"
)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder in which modules that everybody imports, and the C library, are something else."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(HOSTILE)
    for name in ("libc.so.6", "libm.so.6"):
        (folder / name).write_text("no library")
    for name in ("git", "scontrol"):
        (folder / name).write_text("#!/bin/sh\ntouch ran\n")
        (folder / name).chmod(0o755)
    return folder


def _run_command(trap: Path, *words: str) -> None:
    # As a shell starts it: OpenCV has left its mark on the tests' own environment.
    shell = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    done = subprocess.run(
        [sys.executable, "-m", "hierseg", *words],
        cwd=trap, env={**shell, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (trap / "ran").exists()


@pytest.mark.slow
def test_scenes_are_drawn_in_a_folder_with_traps(trap: Path, tmp_path: Path) -> None:
    out = tmp_path / "streets"
    flags = ["--count", "3", "--size", "64x128", "--workers", "2"]
    _run_command(trap, "streets", "--out", str(out), *flags)
    assert len(list(out.rglob("*_leftImg8bit.png"))) == 3


@pytest.mark.slow
def test_a_run_in_a_folder_with_traps(trap: Path, tmp_path: Path) -> None:
    out = tmp_path / "streets"
    flags = ["--count", "6", "--size", "96x128", "--workers", "1", "--val-fraction", "0.4"]
    _run_command(trap, "streets", "--out", str(out), *flags)
    words = ["train", "streets-lite0", "--data.root", str(out), "--data.crop", "96x96"]
    words += ["--data.batch", "2", "--data.workers", "1", "--runtime.limit-batches", "1"]
    words += ["--runtime.device", "cpu", "--runtime.precision", "fp32", "--model.no-pretrained"]
    _run_command(trap, *words, "--runtime.out", str(tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["commit"] == find_commit()


def test_a_child_takes_nothing_from_the_current_folder(
    trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trap)
    monkeypatch.setattr(sys, "path", ["", str(trap), *sys.path])
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere::sub/lib:.:")
    monkeypatch.setenv("PYTHONPATH", f".:{trap}:")
    environment = child_environment()
    assert environment["LD_LIBRARY_PATH"] == "/nowhere"
    assert environment["PYTHONSAFEPATH"] == "1"
    assert str(trap) not in environment["PYTHONPATH"].split(os.pathsep)
    code = "import json, numpy, hierseg; print(numpy.__version__)"
    done = subprocess.run(
        child_command("-c", code), env=environment, capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (trap / "ran").exists()


def test_an_empty_list_of_libraries_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", ":")
    assert "LD_LIBRARY_PATH" not in child_environment()


def test_what_libraries_start_is_guarded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/some/lib:")
    monkeypatch.setenv("PYTHONPATH", "relative")
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    guard_children()
    assert os.environ["LD_LIBRARY_PATH"] == "/some/lib"
    assert "PYTHONPATH" not in os.environ
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_programs_of_the_current_folder_are_none(
    trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trap)
    commit = find_commit()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{os.environ.get('LD_LIBRARY_PATH', '')}:")
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    assert find_commit() == commit
    assert find_program("git") != "./git"
    assert "could not be asked" in ask_for_requeue("7")
    assert not (trap / "ran").exists()


def test_the_official_script_is_started_so(
    trap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text("import json, sys, numpy; json.load(sys.stdin); print(1)\n")
    monkeypatch.setattr(official, "DRIVER", driver)
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{os.environ.get('LD_LIBRARY_PATH', '')}:")
    seen: list[tuple[int, int]] = []
    official._run({}, 1, lambda done, count: seen.append((done, count)))
    assert seen == [(1, 1)]
    assert not (trap / "ran").exists()


def test_a_process_is_running_until_it_has_ended() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_running(os.getpid())
    assert not is_running(ended.pid)
    assert not is_running(2**70)  # an id that no system has
