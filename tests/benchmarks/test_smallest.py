from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hierseg.options import RunOptions

ROOT = Path(__file__).parents[2]
HERE = {**os.environ, "PYTHONSAFEPATH": ""}  # modules of the folder, whatever tests ran before
LITE, SIZE = "--model=lite0-ocr-hier", "--size=64x96"
NEEDS_ENGINES = pytest.mark.skipif(
    "engine" not in {field.name for field in dataclasses.fields(RunOptions)},
    reason="this version runs networks by torch alone",
)


def start(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=HERE,
        capture_output=True,
        text=True,
        check=False,
    )


def run(name: str, *words: str, statuses: tuple[int, ...] = (0,)) -> str:
    done = start(f"benchmarks.{name}", *words)
    assert done.returncode in statuses, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@NEEDS_ENGINES
def test_engines() -> None:
    said = run("engines", LITE, SIZE, "--file-size=64x96", "--rounds=1", "--engine=torch")
    lines = said.splitlines()
    assert len(lines) == 3
    assert all("times as fast" in line and "labels equal" in line for line in lines[1:])


@pytest.mark.slow
@NEEDS_ENGINES
def test_folder() -> None:
    said = run("folder", "--images=4", SIZE, "--repeats=1", "--engine=torch", "--workers=1")
    assert "4 frames of 64x96: engine" in said
    assert "best of each by the processor" in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of the process")
def test_memory() -> None:
    said = run("memory", LITE, SIZE, "--scales", "0.5", "1", "--runs", "float32", "kept")
    assert said.count("VmHWM") == 2


@pytest.mark.slow
def test_step() -> None:
    said = run("step", "--rounds=1", "--only=lite0-ocr-hier", "--crop=128x128")
    assert "times as long" in said
    assert "times as fast" in said


@pytest.mark.slow
def test_bounds() -> None:
    # Whether it is quick enough is the machine's affair.
    said = run("bounds", "--size=64x96", "--images=1", "--engine=torch", statuses=(0, 1))
    assert "parameters: 3.33 of 6 million, kept" in said
    assert "times as fast" in said


@pytest.mark.slow
def test_busy() -> None:
    said = run("busy", "--size=64x96", "--images=1", "--rounds=1").splitlines()
    assert [line.split(":")[0] for line in said] == ["alone", "beside 1 that count"]


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("bounds", ["--size=tall"], "'tall' is not a size; write HEIGHTxWIDTH"),
        ("bounds", ["--weights=nosuch"], "nosuch"),
        ("busy", ["--size=0x5"], "'0x5' is not a size; write HEIGHTxWIDTH"),
    ],
)
def test_a_mistake_is_said_in_a_sentence(name: str, words: list[str], said: str) -> None:
    done = start(f"benchmarks.{name}", *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_is_none_is_refused() -> None:
    done = start("benchmarks", "speed")
    assert done.returncode == 2
    assert "no benchmark named speed; there are" in done.stdout
