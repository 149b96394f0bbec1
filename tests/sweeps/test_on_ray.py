"""Ray, started here: slow, since it takes its time to start."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hierseg.errors import MissingExtraError, UserError
from hierseg.sweeps import RunPlace, open_ray
from sweeps.fakes import list_attempts

TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent / 'src'}"}


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)


def start(out: Path, *runs: tuple[str, list[str]]) -> subprocess.Popen[str]:
    command = [sys.executable, str(TESTS / "sweeps" / "ray_driver.py"), str(out)]
    return subprocess.Popen(
        [*command, *map(json.dumps, runs)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def supervisor_of(place: RunPlace) -> int:
    return int(place.read_status()["attempts"][-1]["process"])


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "ray":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "hierseg\[cluster\]"'):
        open_ray()


def test_the_room_and_its_commands_do_not_import_ray() -> None:
    code = (
        "import sys, hierseg.sweeps as s, hierseg.commands.sweep, hierseg.commands.runs;"
        "[getattr(s, name) for name in s.__all__];"
        "print('ray' in sys.modules, 'torch' in sys.modules, 'optuna' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["False", "False", "False"]


SIX = [
    (f"run{number}", ["--steps", "60", "--pause", "0.1", "--value", str(number)])
    for number in range(6)
]


@pytest.mark.slow
def test_a_failure_a_killed_worker_and_a_killed_driver_are_survived(tmp_path: Path) -> None:
    runs = [(SIX[0][0], [*SIX[0][1], "--fail-once"]), *SIX[1:]]
    driver = start(tmp_path, *runs)
    place = RunPlace(tmp_path / "run1")
    wait_for(lambda: (place.run / "state").is_file())
    worker = parent_of(supervisor_of(place))
    assert "ray::" in Path(f"/proc/{worker}/cmdline").read_text()
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: len(place.read_status().get("attempts", ())) == 2)
    time.sleep(1)
    driver.kill()
    driver.wait()
    wait_for(lambda: not any("running" in text for text in _states(tmp_path)))

    second = start(tmp_path, *runs)
    said, _ = second.communicate(timeout=300)
    assert json.loads(said.splitlines()[-1]) == {"done": 6, "failed": 0}
    for name, _ in runs:
        rows = (tmp_path / name / "run" / "epochs.csv").read_text().splitlines()
        assert len(rows) == 61, name  # every step once, and never two runs in one folder
    before = {name: list_attempts(tmp_path, name) for name, _ in runs}
    assert len(before["run0"]) >= 2
    assert before["run1"][1] > 0

    more = ("run6", ["--steps", "2"])
    third = start(tmp_path, *runs, more)
    said, _ = third.communicate(timeout=300)
    assert json.loads(said.splitlines()[-1]) == {"done": 7, "failed": 0}
    assert {name: list_attempts(tmp_path, name) for name, _ in runs} == before
    assert list_attempts(tmp_path, "run6") == [0]


def _states(out: Path) -> list[str]:
    return [str(RunPlace(path).find_state()) for path in out.iterdir() if path.is_dir()]


LISTENING = """
import os
from pathlib import Path
from hierseg.sweeps import open_ray

def listening():
    rows = [row.split() for name in ("tcp", "tcp6")
            for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[9]: row[1].split(":")[0] for row in rows if row[3] == "0A"}

def sockets_of_ray():
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "ray" in (folder / "cmdline").read_text():
                found |= {os.readlink(fd)[8:-1] for fd in (folder / "fd").iterdir()}
        except OSError:
            continue
    return found

before = set(listening())
with open_ray():
    now, own = listening(), sockets_of_ray()
    print(*sorted({address for inode, address in now.items() if inode not in before
                   and inode in own}))
print("dashboard" in " ".join(p.read_text() for p in Path("/proc").glob("[0-9]*/cmdline")))
"""


@pytest.mark.slow
def test_a_ray_that_is_started_here_listens_on_loopback_alone() -> None:
    said = subprocess.run(
        [sys.executable, "-c", LISTENING],
        env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip
    addresses = said.stdout.splitlines()[0].split()
    assert addresses
    # 127.0.0.1, and the same as an address of IPv6, as the kernel lists them.
    assert set(addresses) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert "hierseg" not in said.stderr


def test_no_ray_at_an_address_is_one_sentence() -> None:
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        with pytest.raises(UserError, match=f"cannot connect to Ray at {address} "):
            open_ray(address)
