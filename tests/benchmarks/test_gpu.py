from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PARTS = [
    "matrix products",
    "parity with the CPU",
    "segmenting",
    "a training step",
    "a group of one process",
    "streetlite",
    "gated scales",
    "compiled",
]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_part_runs_in_miniature(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    done = run("--device", "cpu", "--small", "--out", str(out), "--budget", "600")
    assert done.returncode == 0, done.stdout + done.stderr
    parts = json.loads(out.read_text())["parts"]
    assert list(parts) == PARTS
    for name, part in parts.items():
        assert "failed" not in part, (name, part)
        assert "skipped" not in part, (name, part)
        assert part["rows"], name
    parity = parts["parity with the CPU"]["rows"]["lite0-ocr-hier float32"]
    assert parity == {"difference": 0.0, "labels equal": 1.0, "ok": True}
    assert parts["a group of one process"]["rows"]["gloo, SyncBN, DDP"]["ok"]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so() -> None:
    done = run()
    assert done.returncode == 1
    assert "no CUDA GPU" in done.stderr
    assert done.stdout == ""
