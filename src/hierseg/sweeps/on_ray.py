"""Attempts as tasks of Ray, on this machine or a cluster; the folder of the sweep is on a disk that
all its machines share.

Ray knows nothing of runs that are done: it is given what is missing. A worker or a machine that
dies is no failure of the run, which goes on elsewhere from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import sys
import time
from types import TracebackType
from typing import Any, Self

from hierseg.errors import MissingExtraError, UserError
from hierseg.processes import child_environment
from hierseg.sweeps.local import close, start_supervisor, tell
from hierseg.sweeps.plan import Resources
from hierseg.sweeps.supervisor import Attempt

OBJECT_STORE = 128 << 20
"""Bytes of the shared memory of a Ray that is started here: its tasks pass a few words."""
MOST_AT_ONCE = 100_000
LOOPBACK = "127.0.0.1"
SECONDS_TO_ANSWER = 10.0
TRIES = 3
"""Times that Ray is started here: it gives itself half a minute, which is little while a machine is
busy.
"""


def open_ray(address: str | None = None, dashboard: bool = False) -> RayConnection:
    """Start Ray here, or reach one that runs.

    Args:
        address: ``auto``, ``ray://HOST:10001`` or ``HOST:6379``; None starts one, bound to
            127.0.0.1.
        dashboard: Have the one that is started show its dashboard.

    Raises:
        MissingExtraError: Ray is not installed.
        UserError: There is no Ray at the address, or it does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    place = None if address is None else _split(address)
    if address is None or (place is not None and place[0] in (LOOPBACK, "localhost")):
        # Ray takes 127.0.0.1 for the machine's outer address, unless it is to have no cluster, as
        # it has none on macOS by default.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("--runner ray", "cluster") from error
    if place is not None:
        _require_reachable(*place, address or "")
    options: dict[str, Any] = {"address": address}
    if address is None:
        options |= {
            "address": "local",
            "include_dashboard": dashboard,
            "object_store_memory": OBJECT_STORE,
            "_node_ip_address": LOOPBACK,
        }
    if not (address or "").startswith("ray://"):
        options |= {"logging_level": logging.ERROR, "log_to_driver": False}
    for left in reversed(range(1 if address else TRIES)):
        try:
            ray.init(**options)
            break
        except Exception as error:  # Ray raises many, and a bare one where it starts too slowly
            ray.shutdown()
            if left and "timed out" in str(error):  # a busy machine
                continue
            said = str(error).strip().splitlines()
            where = f"no Ray is reached at {address}" if address else "Ray does not start"
            raise UserError(
                f"{where} ({said[0] if said else type(error).__name__}); see `ray status`, or give "
                "another --address."
            ) from error
    return RayConnection(ray)


def _split(address: str) -> tuple[str, int] | None:
    """Host and port; None of ``auto`` and its like, which Ray resolves."""
    host, _, port = address.removeprefix("ray://").split("?")[0].rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def _require_reachable(host: str, port: int, address: str) -> None:
    """UserError where nothing answers: Ray itself would try for minutes."""
    try:
        socket.create_connection((host, port), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray is reached at {address} ({error}); see `ray status` there, or give another "
            "--address."
        ) from error


class RayConnection:
    """A Ray that is connected to; a context manager that lets go of it.

    Args:
        ray: The module, initialised.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ray.shutdown()

    def make_runner(
        self, resources: Resources, parallel: int | None = None, fits: bool = False
    ) -> RayRunner:
        """A runner whose attempts take resources.

        Args:
            resources: Of one run.
            parallel: How many at once; None for as many as Ray has room for.
            fits: Give Ray no more than it has room for now, as a search needs that learns.
        """
        slots = parallel or (self._count_room(resources) if fits else MOST_AT_ONCE)
        return RayRunner(self.ray, resources, slots)

    def _count_room(self, resources: Resources) -> int:
        there = self.ray.cluster_resources()
        rooms = [int(there.get("CPU", 1)) // (resources.cpus or 1)]
        if resources.gpus:
            rooms.append(int(there.get("GPU", 0)) // resources.gpus)
        return max(1, min(rooms))


class RayRunner:
    """Gives attempts to Ray.

    Args:
        ray: The module, initialised.
        resources: What one takes.
        slots: How many are given at once.
    """

    word = "given to Ray"

    def __init__(self, ray: Any, resources: Resources, slots: int) -> None:
        self.slots = slots
        self._ray = ray
        options: dict[str, Any] = {
            "num_cpus": resources.cpus or 1,
            "num_gpus": resources.gpus,
            "max_retries": 0,  # the driver knows what an attempt has left
        }
        if resources.memory is not None:
            options["memory"] = resources.memory
        if resources.labels:
            options["label_selector"] = dict(resources.labels)
        self._task = ray.remote(**options)(run_attempt)
        self._tasks: dict[Any, str] = {}

    def start(self, name: str, attempt: Attempt) -> None:
        """Give an attempt to Ray."""
        self._tasks[self._task.remote(attempt.to_line(), sys.executable)] = name

    def wait(self, seconds: float) -> list[str]:
        """The names of those that have ended, in whatever way: their folders tell."""
        if not self._tasks:
            return []
        ready, _ = self._ray.wait(
            list(self._tasks), num_returns=len(self._tasks), timeout=seconds, fetch_local=False
        )
        return [self._tasks.pop(task) for task in ready]

    def stop(self, kill: bool = False) -> None:
        """Tell all to end; by force their workers are killed, whose runs then save and end."""
        for task in self._tasks:
            self._ray.cancel(task, force=kill)


def run_attempt(line: bytes, python: str) -> int:
    """What a worker of Ray does: has a supervisor run an attempt, and tells it to end when the task
    is cancelled. A worker that is killed closes the supervisor's input.

    Args:
        line: An attempt, as its ``to_line`` has it.
        python: The driver's interpreter, which may lie elsewhere here.
    """
    attempt = Attempt.from_line(line)
    if attempt.words[0] == python:
        attempt = dataclasses.replace(attempt, words=(sys.executable, *attempt.words[1:]))
    process = start_supervisor(attempt, child_environment())
    try:
        while process.poll() is None:
            time.sleep(0.05)
    except BaseException:
        tell(process, b"stop\n")
        process.wait()
        raise
    finally:
        close(process)
    return process.returncode
