"""Commands in several processes: one result, one summary, one message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hierseg.checkpoint.save import save_checkpoint
from hierseg.distributed import first_before_others, gather, join_processes, tell_all
from hierseg.labels import CAMVID
from hierseg.models.registry import create_model
from support.together import launch

HIERSEG = [sys.executable, "-m", "hierseg"]
TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m",
    "hierseg",
]  # fmt: skip


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Five frames of noise, of two sizes, in CamVid's layout, and an untrained checkpoint."""
    root = tmp_path / "camvid"
    random = np.random.default_rng(0)
    for folder in ("val", "valannot"):
        (root / folder).mkdir(parents=True)
    for number in range(5):
        height, width = (40, 56) if number < 3 else (48, 48)
        image = random.integers(0, 255, (height, width, 3)).astype(np.uint8)
        labels = random.integers(0, 12, (height, width)).astype(np.uint8)
        assert cv2.imwrite(str(root / "val" / f"{number}.png"), image)
        assert cv2.imwrite(str(root / "valannot" / f"{number}.png"), labels)
    torch.manual_seed(0)
    save_checkpoint(root / "camvid.safetensors", create_model("lite0-ocr-hier", 11), CAMVID)
    return root


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=alone, timeout=600)


def _evaluate(camvid: Path, *more: str) -> list[str]:
    weights = str(camvid / "camvid.safetensors")
    return [
        "evaluate", "--data", "camvid", "--root", str(camvid), "--weights", weights,
        "--device", "cpu", *more,
    ]  # fmt: skip


def _patch(words: str) -> list[str]:
    """The command, in which ``words`` are run before a split's image is read."""
    code = f"""\
import os, signal, sys
from hierseg.cli import main
from hierseg.data import SegmentationDataset
from hierseg.errors import UserError

own = SegmentationDataset.read

def read(self, index):
    rank = int(os.environ["RANK"])
{words}
    return own(self, index)

SegmentationDataset.read = read
sys.exit(main(sys.argv[1:]))
"""
    return [sys.executable, "-c", code]


def test_a_process_by_itself_joins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with join_processes(), first_before_others():
        assert not torch.distributed.is_initialized()
        assert gather(3) == [3]
        assert tell_all("told") == "told"


@pytest.mark.slow
def test_torchrun_evaluates_as_one_process_to_the_last_digit(camvid: Path, tmp_path: Path) -> None:
    results = []
    for prefix, name in ((TORCHRUN, "two"), (HIERSEG, "one")):
        out = tmp_path / name
        words = _evaluate(
            camvid, "--json", f"{out}.json", "--per-scale", "--boundary", "--calibration",
            "--out", str(out), "--worst", "1", "--save-panels", f"{out}-panels", "--batch", "2",
            "--corruptions", "jpeg",
        )  # fmt: skip
        done = _run([*prefix, *words])
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("mIoU of each scale alone") == 1
        results.append(json.loads(Path(f"{out}.json").read_text()))
    two, one = results
    assert (two.pop("processes"), one.pop("processes")) == (2, 1)
    assert two == one
    for page in ("two/index.html", "two-panels/index.html"):
        ours = (tmp_path / page).read_text()
        assert ours == (tmp_path / page.replace("two", "one")).read_text()
    kept = sorted(path.name for path in (tmp_path / "two" / "labels").iterdir())
    assert kept == sorted(path.name for path in (tmp_path / "one" / "labels").iterdir())


@pytest.mark.slow
def test_processes_share_images_and_write_one_summary(camvid: Path, tmp_path: Path) -> None:
    weights = ["--weights", str(camvid / "camvid.safetensors"), "--device", "cpu"]
    (camvid / "val" / "9.png").write_bytes(b"no image")
    made = []
    for name in ("two", "one"):
        words = ["predict", str(camvid / "val"), "--out", str(tmp_path / name), *weights]
        ended = launch([*HIERSEG, *words]) if name == "two" else [_run([*HIERSEG, *words])]
        assert [done.returncode for done in ended] == [3, 0][: len(ended)], ended
        said = "".join(done.stdout + done.stderr for done in ended)
        assert said.count("5 of 6 images segmented") == 1
        assert said.count("1 was skipped") == 1
        content = json.loads((tmp_path / name / "summary.json").read_text())
        assert content["complete"]
        made.append([{**image, "seconds": 0} for image in content["images"]])
        hidden = {path.name for path in (tmp_path / name).glob(".hierseg-*")}
        assert not {name for name in hidden if "journal" in name or "doing" in name}
    assert made[0] == made[1]
    (camvid / "val" / "9.png").unlink()
    for name in ("two", "one"):
        out = str(tmp_path / f"auto-{name}")
        words = ["autolabel", "--data", "camvid", "--root", str(camvid), "--split", "val"]
        words += ["--out", out, *weights]
        ended = launch([*HIERSEG, *words]) if name == "two" else [_run([*HIERSEG, *words])]
        assert {done.returncode for done in ended} == {0}, ended
        assert "".join(done.stdout for done in ended).count("5 images labelled") == 1
    files = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("auto-two", "auto-one")
    ]
    assert files[0] == files[1]
    refused = launch([*HIERSEG, *words, "--shard", "1/2"])
    assert [done.returncode for done in refused] == [2, 2]
    assert "".join(done.stderr for done in refused).count("--shard is for processes") == 1


@pytest.mark.slow
def test_a_failure_of_one_ends_all_with_its_sentence(camvid: Path) -> None:
    patch = '    if rank == 1 and index == 1: raise UserError("1.png is no image; mend it.")'
    ended = launch([*_patch(patch), *_evaluate(camvid)])
    assert [done.returncode for done in ended] == [1, 1]
    said = "".join(done.stdout + done.stderr for done in ended)
    assert said.count("hierseg: 1.png is no image; mend it.") == 1
    assert said.count("hierseg: ") == 1
    assert "Traceback" not in said
    wrong = launch([*HIERSEG, *_evaluate(camvid, "--limit", "0")])
    assert [done.returncode for done in wrong] == [2, 2]
    assert "".join(done.stderr for done in wrong).count("--limit 0 leaves no images") == 1


@pytest.mark.slow
def test_a_process_that_is_killed_is_missed_by_one_sentence(camvid: Path) -> None:
    patch = "    if rank == 1 and index == 1: os.kill(os.getpid(), signal.SIGKILL)"
    ended = launch([*_patch(patch), *_evaluate(camvid)])
    assert [done.returncode for done in ended] == [1, -signal.SIGKILL]
    said = "".join(done.stdout + done.stderr for done in ended)
    assert said.count("hierseg: ") == 1
    assert "process 0 of 2 has lost another one" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_what_a_killed_process_has_done_is_taken_up_by_the_next_run(
    camvid: Path, tmp_path: Path
) -> None:
    code = """\
import os, signal, sys
from hierseg.cli import main
from hierseg.jobs.summary import Summary

add = Summary.add

def killed(self, record):
    add(self, record)
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)

Summary.add = killed
sys.exit(main(sys.argv[1:]))
"""
    out = tmp_path / "out"
    words = ["predict", str(camvid / "val"), "--out", str(out), "--device", "cpu"]
    words += ["--weights", str(camvid / "camvid.safetensors")]
    ended = launch([sys.executable, "-c", code, *words])
    assert [done.returncode for done in ended] == [1, -signal.SIGKILL]
    assert "lost another one" in ended[0].stderr
    before = (out / "1_labels.png").stat().st_mtime_ns
    done = _run([*HIERSEG, *words])
    assert done.returncode == 0, done.stderr
    assert "5 of 5 images segmented" in done.stdout
    assert (out / "1_labels.png").stat().st_mtime_ns == before  # by the process that was killed
    assert not list(out.glob(".hierseg-journal*"))
