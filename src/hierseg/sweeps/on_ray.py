"""Attempts as tasks of Ray, on this machine or a cluster. The folder of the sweep must be on a disk
that all machines share.

Ray gets only the missing runs. If a worker or a machine dies, that is no failure of the run, which
continues elsewhere from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from types import TracebackType
from typing import Any, Self

from hierseg.jobs import start_ray
from hierseg.processes import child_environment
from hierseg.sweeps.local import close, start_supervisor, tell
from hierseg.sweeps.plan import Resources
from hierseg.sweeps.supervisor import Attempt

MOST_AT_ONCE = 100_000


def open_ray(address: str | None = None, dashboard: bool = False) -> RayConnection:
    """Start Ray on this machine, or connect to a running one, as ``start_ray`` does."""
    return RayConnection(start_ray(address, dashboard))


class RayConnection:
    """A connection to Ray; a context manager that closes it.

    Args:
        ray: The initialised module.
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
            resources: Resources of one run.
            parallel: Most attempts at once; None for as many as Ray has room for.
            fits: Submit only as many as Ray has room for now, so that a search can learn from each
                run before it draws the next.
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
    """Submits attempts to Ray.

    Args:
        ray: The initialised module.
        resources: Resources of one attempt.
        slots: Most attempts submitted at once.
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
        """Submit an attempt to Ray."""
        self._tasks[self._task.remote(attempt.to_line(), sys.executable)] = name

    def wait(self, seconds: float) -> list[str]:
        """Names of the attempts that have ended in any way; their folders have the status."""
        if not self._tasks:
            return []
        ready, _ = self._ray.wait(
            list(self._tasks), num_returns=len(self._tasks), timeout=seconds, fetch_local=False
        )
        return [self._tasks.pop(task) for task in ready]

    def stop(self, kill: bool = False) -> None:
        """Cancel all attempts; with ``kill`` kill their workers, whose runs then save and end."""
        for task in self._tasks:
            self._ray.cancel(task, force=kill)


def run_attempt(line: bytes, python: str) -> int:
    """The task of a Ray worker: it starts a supervisor for an attempt, and tells it to end when the
    task is cancelled. If the worker is killed, the supervisor's input is closed.

    Args:
        line: An attempt, as ``Attempt.to_line`` gives it.
        python: The driver's interpreter, which may have another path on this machine.
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
