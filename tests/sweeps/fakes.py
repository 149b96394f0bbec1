"""Sweeps of fake runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hierseg.sweeps import PlannedRun, Sweep

FAKE = Path(__file__).resolve().parents[1] / "support" / "fake_run.py"


def fake(name: str, *words: str, **varied: Any) -> PlannedRun:
    """A run of the fake command."""
    return PlannedRun(name, "train", words, varied)


def launch_fake(run: PlannedRun, folder: Path) -> list[str]:
    """The fake command with a run's words."""
    return [sys.executable, str(FAKE), *run.words, *run.place(folder)]


def make_sweep(out: Path, *runs: PlannedRun, **settings: Any) -> Sweep:
    """A sweep of fake runs."""
    return Sweep(path=Path("sweep.yaml"), out=out, runs=runs, **settings)


def list_attempts(out: Path, name: str) -> list[int]:
    """The step from which each attempt of a run went on."""
    return [int(line) for line in (out / name / "run" / "attempts").read_text().split()]
