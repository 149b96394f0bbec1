"""Real training runs on Miniature Streets: a sweep on Ray, and a node that dies. Slow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hierseg.size import Size
from hierseg.streets import write_streets
from hierseg.sweeps import RunPlace, read_runs
from sweeps.fakes import list_attempts

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent / 'src'}",
    "OMP_NUM_THREADS": "1",
}
SWEEP = """\
recipe: streets-lite0
out: runs
retries: 1
fixed:
  data:
    root: {root}
    crop: 64x128
    batch: 2
    workers: 0
  model.pretrained: false
  optim: {{epochs: {epochs}, warmup_steps: 0}}
  eval: {{every: 1, scales: [1]}}
  runtime: {{device: cpu, precision: fp32, save_steps: 1, log_every: 1}}
grid:
  optim.lr: [0.001, 0.002]
  runtime.seed: {seeds}
"""
FAIL_ONCE = """
import os, sys
from pathlib import Path
marker = Path(sys.argv[1])
if not marker.exists():
    marker.write_text("")
    print("broken on purpose")
    sys.exit(5)
os.execv(sys.argv[2], sys.argv[2:])
"""
DRIVER = f"""
import json, sys
from pathlib import Path
from hierseg.sweeps import Driver, Resources, launch_hierseg, open_ray, read_sweep

def launch(run, folder):
    words = launch_hierseg(run, folder)
    if run.name == "lr0.002-seed0":  # fails in its first attempt
        return [sys.executable, "-c", {FAIL_ONCE!r}, str(folder.absolute() / "marker"), *words]
    return words

sweep = read_sweep(Path("sweep.yaml"))
with open_ray() as connection:
    runner = connection.make_runner(sweep.resources, 2)
    outcome = Driver(sweep, runner, launch, patience=60).run()
print(json.dumps([len(outcome.done), len(outcome.failed), outcome.left]))
"""


def wait_for(condition: Callable[[], object], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, 8, Size(64, 128), 0, 0.25, 1)
    return root


def write_sweep(folder: Path, root: Path, seeds: list[int], epochs: int = 2) -> None:
    text = SWEEP.format(root=root, seeds=seeds, epochs=epochs)
    (folder / "sweep.yaml").write_text(text)


def start(folder: Path, code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )


def attempts_of(folder: Path) -> dict[str, int]:
    return {
        path.name: len(RunPlace(path).read_status().get("attempts", ()))
        for path in sorted((folder / "runs").iterdir())
        if path.is_dir()
    }


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_real_sweep_on_ray_survives_and_is_complete(streets: Path, tmp_path: Path) -> None:
    write_sweep(tmp_path, streets, [0, 1, 2])
    driver = start(tmp_path, DRIVER)
    first = RunPlace(tmp_path / "runs" / "lr0.001-seed0")
    wait_for(lambda: any(first.run.glob("states/*")))
    os.kill(parent_of(first.read_status()["attempts"][0]["process"]), signal.SIGKILL)
    wait_for(lambda: len(first.read_status().get("attempts", ())) == 2)
    third = RunPlace(tmp_path / "runs" / "lr0.001-seed2")
    wait_for(lambda: (third.run / "run.json").is_file())
    driver.kill()
    driver.wait()
    wait_for(lambda: third.find_state() != "running")

    said, _ = start(tmp_path, DRIVER).communicate(timeout=1500)
    assert json.loads(said.splitlines()[-1]) == [6, 0, 0]
    records = read_runs(tmp_path / "runs")
    assert [record.status for record in records] == ["done"] * 6
    for record in records:
        assert (record.epochs, record.epochs_planned) == (2, 2)
        assert len(record.curves["miou"]) == 2
        steps = (tmp_path / "runs" / record.name / "run" / "steps.csv").read_text().splitlines()
        assert len(steps) == 1 + 6, record.name  # each once, whatever was killed
    counts = attempts_of(tmp_path)
    assert counts["lr0.002-seed0"] >= 2
    assert counts["lr0.001-seed0"] >= 2
    assert counts["lr0.001-seed2"] >= 2

    said, _ = start(tmp_path, DRIVER).communicate(timeout=900)
    assert json.loads(said.splitlines()[-1]) == [6, 0, 0]
    assert attempts_of(tmp_path) == counts  # nothing was run

    write_sweep(tmp_path, streets, [3, 0, 1, 2])
    said, _ = start(tmp_path, DRIVER).communicate(timeout=1500)
    assert json.loads(said.splitlines()[-1]) == [8, 0, 0]
    more = {name: count for name, count in attempts_of(tmp_path).items() if name not in counts}
    assert more == {"lr0.001-seed3": 1, "lr0.002-seed3": 1}


CLUSTER = """
import json, os, sys, threading, time
from pathlib import Path
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
from ray.cluster_utils import Cluster
from hierseg.sweeps import Driver, RunPlace, launch_hierseg, open_ray, read_sweep
from sweeps.fakes import fake, launch_fake, make_sweep

def ancestors(process):
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        yield process

def raylet_of(node):
    return node.all_processes["raylet"][0].process.pid

def try_hard(action):  # Ray gives a node half a minute, which a busy machine may exceed
    for _ in range(5):
        try:
            return action()
        except Exception as error:
            if "timed out" not in str(error):
                raise
    raise RuntimeError("no node starts here")

sizes = {"object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1"}
cluster = try_hard(
    lambda: Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **sizes}))
nodes = [try_hard(lambda labels=labels: cluster.add_node(num_cpus=1, labels=labels, **sizes))
         for labels in ({"gpu": "0"}, {"gpu": "1"})]
if sys.argv[1] == "fake":
    run = fake("long", "--steps", "200", "--pause", "0.1")
    sweep, launch = make_sweep(Path("runs"), run), launch_fake
else:
    sweep, launch = read_sweep(Path("sweep.yaml")), launch_hierseg
place = RunPlace(sweep.out / sweep.runs[0].name)
found = {}

def kill():
    while not (any(place.run.glob("states/*")) or (place.run / "state").is_file()):
        time.sleep(0.05)
    lines = list(ancestors(place.read_status()["attempts"][0]["process"]))
    victim = next(node for node in nodes if raylet_of(node) in lines)
    found["first"] = nodes.index(victim)
    cluster.remove_node(victim, allow_graceful=False)
    while len(place.read_status()["attempts"]) < 2:
        time.sleep(0.05)
    lines = list(ancestors(place.read_status()["attempts"][1]["process"]))
    found["second"] = next(n for n, node in enumerate(nodes) if raylet_of(node) in lines)

thread = threading.Thread(target=kill)
thread.start()
with open_ray(cluster.address) as connection:
    runner = connection.make_runner(sweep.resources)
    outcome = Driver(sweep, runner, launch, patience=60).run()
thread.join(60)
cluster.shutdown()
status = place.read_status()
print(json.dumps({**found, "done": len(outcome.done),
                  "resumed": [one["resumed"] for one in status["attempts"]]}))
"""


def test_what_a_node_was_running_goes_on_on_another_node(tmp_path: Path) -> None:
    said, _ = start(tmp_path, CLUSTER, "fake").communicate(timeout=1500)
    found = json.loads(said.splitlines()[-1])
    assert found["done"] == 1
    assert {found["first"], found["second"]} == {0, 1}
    first, second = list_attempts(tmp_path / "runs", "long")
    assert (first, second > 0) == (0, True)
    assert len((tmp_path / "runs/long/run/epochs.csv").read_text().splitlines()) == 201


def test_a_run_goes_on_from_its_checkpoint_on_another_node(streets: Path, tmp_path: Path) -> None:
    write_sweep(tmp_path, streets, [0], epochs=8)
    text = (tmp_path / "sweep.yaml").read_text()
    (tmp_path / "sweep.yaml").write_text(
        text.replace("[0.001, 0.002]", "[0.001]").replace("retries: 1", "retries: 0")
    )
    said, _ = start(tmp_path, CLUSTER, "real").communicate(timeout=1500)
    found = json.loads(said.splitlines()[-1])
    assert found["done"] == 1
    assert {found["first"], found["second"]} == {0, 1}
    assert found["resumed"] == [False, True]
    place = RunPlace(tmp_path / "runs" / "lr0.001-seed0")
    steps = (place.run / "steps.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in steps[1:]] == [str(step) for step in range(1, 25)]
    assert "resumed after step" in place.log.read_text()
