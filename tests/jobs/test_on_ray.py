"""Bulk work on a Ray that is started here: slow, since it takes its time to start."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from hierseg.size import Size
from hierseg.streets import draw_street, write_streets

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


def start(command: str, *words: object, folder: Path | None = None) -> subprocess.Popen[str]:
    arguments = [command, *map(str, words), "--weights", "streets-lite0"]
    return subprocess.Popen(
        [sys.executable, "-m", "hierseg", *arguments], env=ENVIRONMENT, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def autolabel(root: Path, out: Path, *words: str) -> subprocess.Popen[str]:
    return start("autolabel", "--data", "folder", "--root", root, "--out", out, *words)


def run(command: str, *words: object, folder: Path | None = None) -> str:
    process = start(command, *words, folder=folder)
    said, complaint = process.communicate(timeout=300)
    assert process.returncode == 0, complaint
    return said


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


def kill_at_random(
    driver: subprocess.Popen[str], count_done: Callable[[], int], count: int, kills: int, seed: int
) -> int:
    """Kill one of the actors while so many random numbers of images are done; gives how many."""
    chance = random.Random(seed)
    killed = 0
    for least in sorted(chance.sample(range(1, count // 2), kills)):
        while driver.poll() is None:
            actors = list_actors(driver.pid)
            if actors and count_done() >= least:
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
    killed = kill_at_random(driver, lambda: count_done(there), COUNT, KILLS, seed=5)
    _, said = driver.communicate(timeout=300)
    assert driver.returncode == 0, said
    assert killed == KILLS
    assert said.count("a worker is lost") == KILLS, said
    assert read(there) == read(here)
    assert len(read(there)) == 2 * COUNT + len(("train.jsonl", "summary", "its picture"))


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled scenes in ``data``, 32 of them of validation."""
    folder = tmp_path_factory.mktemp("streets")
    write_streets(folder / "data", 40, Size(64, 128), seed=1, val_fraction=0.8)
    return folder


def list_measures(out: str) -> list[str]:
    places = ["--save-predictions", f"{out}/maps", "--save-panels", f"{out}/panels"]
    places += ["--out", f"{out}/more", "--json", f"{out}/result.json", "--worst", "3"]
    return [*places, "--boundary", "--calibration", "--per-scale", "--corruptions", "brightness"]


def read_results(out: Path) -> dict[str, bytes]:
    """All files but the records of what was written, which are in the order in which it came."""
    files = (path for path in out.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_an_evaluation_on_ray_is_that_of_one_process_though_an_actor_is_killed(
    streets: Path,
) -> None:
    data = ["--data", "cityscapes", "--root", "data"]
    (streets / "here").mkdir()
    (streets / "there").mkdir()
    said = run("evaluate", *data, *list_measures("here"), folder=streets)
    driver = start(
        "evaluate", *data, *list_measures("there"), "--runner", "ray", "--actors", "2",
        folder=streets,
    )  # fmt: skip
    maps = streets / "there" / "maps"
    killed = kill_at_random(driver, lambda: len(list(maps.rglob("*_labels.png"))), 32, 1, seed=2)
    told, complaint = driver.communicate(timeout=500)
    assert driver.returncode == 0, complaint
    assert killed == 1
    assert complaint.count("a worker is lost") == 1, complaint
    assert told.replace("/there/", "/here/") == said
    found, wanted = read_results(streets / "there"), read_results(streets / "here")
    assert sorted(found) == sorted(wanted)
    assert found == wanted
    assert sum(name.startswith("maps/") for name in found) == 2 * 32 + 1  # and the legend


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address for clients of a Ray that others have started in another folder."""
    ports = [free_port(), free_port()]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
            f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--num-cpus=2",
            "--node-ip-address=127.0.0.1", "--object-store-memory=134217728",
            "--include-dashboard=false", "--disable-usage-stats",
        ],
        env=ENVIRONMENT | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not answers(ports[1]):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield f"ray://127.0.0.1:{ports[1]}"
    for number in [*list_below(process.pid), process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_a_submission_by_a_client_of_a_cluster_is_that_of_one_process(
    streets: Path, cluster: str
) -> None:
    words = ["--data", "cityscapes", "--root", "data", "--split", "val"]
    run("submit", *words, "--out", "here.zip", folder=streets)
    there = ["--out", "there.zip", "--runner", "ray", "--address", cluster, "--actors", "2"]
    run("submit", *words, *there, folder=streets)
    assert (streets / "there.zip").read_bytes() == (streets / "here.zip").read_bytes()
    assert not (streets / "there.zip.work").exists()
