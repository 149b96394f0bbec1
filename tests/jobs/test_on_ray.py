"""Bulk work on a Ray that is started here: slow, since it takes its time to start."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from hierseg.size import Size
from hierseg.streets import draw_street

ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src"),
}
COUNT = 40
KILLS = 3


def draw(folder: Path, count: int) -> None:
    (folder / "images" / "train").mkdir(parents=True)
    for number in range(count):
        image, _ = draw_street(number, Size(64, 128))
        cv2.imwrite(str(folder / "images" / "train" / f"{number:04}.png"), image[..., ::-1])


def autolabel(root: Path, out: Path, *words: str) -> subprocess.Popen[str]:
    command = ["autolabel", "--data", "folder", "--root", str(root), "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, "-m", "hierseg", *command, "--weights", "streets-lite0", *words],
        env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def list_below(process: int) -> Iterator[int]:
    """Processes that a process started, and those that they did."""
    parents = dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    for number in parents:
        above = number
        while above in parents and above != process:
            above = parents[above]
        if above == process != number:
            yield number


def list_actors(driver: int) -> list[int]:
    found = []
    for number in list_below(driver):
        try:
            said = Path(f"/proc/{number}/cmdline").read_text()
        except OSError:
            continue
        if said.startswith("ray::Worker"):
            found.append(number)
    return found


def count_done(out: Path) -> int:
    journal = out / "train.jsonl"
    return max(0, journal.read_text().count("\n") - 1) if journal.is_file() else 0


def kill_at_random(driver: subprocess.Popen[str], out: Path, count: int, seed: int) -> int:
    """Kill one of the actors while so many random numbers of images are done; gives how many."""
    chance = random.Random(seed)
    killed = 0
    for least in sorted(chance.sample(range(1, count // 2), KILLS)):
        while driver.poll() is None:
            actors = list_actors(driver.pid)
            if actors and count_done(out) >= least:
                os.kill(chance.choice(actors), signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.01)
    return killed


def read(out: Path) -> dict[str, bytes]:
    """All files; of the journal its lines in any order."""
    files = (path for path in out.rglob("*") if path.is_file())
    contents = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    contents["train.jsonl"] = b"\n".join(sorted(contents["train.jsonl"].splitlines()))
    return contents


@pytest.mark.slow
def test_actors_killed_at_random_change_no_byte_and_no_image_is_done_twice(tmp_path: Path) -> None:
    draw(tmp_path, COUNT)
    here, there = tmp_path / "here", tmp_path / "there"
    local = autolabel(tmp_path, here)
    assert local.wait(timeout=300) == 0, local.communicate()
    driver = autolabel(tmp_path, there, "--runner", "ray", "--actors", "2")
    killed = kill_at_random(driver, there, COUNT, seed=5)
    _, said = driver.communicate(timeout=300)
    assert driver.returncode == 0, said
    assert killed == KILLS
    assert said.count("a worker is lost") == KILLS, said
    assert read(there) == read(here)
    assert len(read(there)) == 2 * COUNT + len(("train.jsonl", "summary", "its picture"))
