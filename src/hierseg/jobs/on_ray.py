"""Remote workers that are actors of Ray, on this machine or a cluster."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from hierseg.errors import UsageError
from hierseg.jobs.ray_start import start_ray
from hierseg.jobs.spreading import Answer, Crew
from hierseg.jobs.worker import Hands, Reply, Worker
from hierseg.wording import count

Item = TypeVar("Item")
CPUS = 4
"""Most CPUs of a worker by default; more gain less than another worker would."""


class Division(NamedTuple):
    """Number of workers, and the CPUs and GPUs of each."""

    workers: int
    cpus: int
    gpus: int


def divide(nodes: Sequence[Mapping[str, float]], workers: int | None, use_gpus: bool) -> Division:
    """Divide the resources of a cluster among workers.

    Args:
        nodes: Resources of each machine, as Ray names them.
        workers: Number of workers; None for one per GPU, or per four CPUs.
        use_gpus: Whether workers run on GPUs, if there are any.

    Raises:
        UsageError: The cluster has too few CPUs or GPUs for so many workers.
    """
    cpus: list[int] = [int(node.get("CPU", 0)) for node in nodes]
    gpus: list[int] = [int(node.get("GPU", 0)) for node in nodes]
    all_gpus = sum(gpus)
    if use_gpus and all_gpus:
        if (workers or 1) > all_gpus:
            raise UsageError(
                f"--actors {workers}: Ray has {count(all_gpus, 'GPU')}, and each actor takes one; "
                "give fewer, or --device cpu."
            )
        each = min(cpu // gpu for cpu, gpu in zip(cpus, gpus, strict=True) if gpu)
        return Division(workers or all_gpus, max(1, min(each, CPUS)), 1)
    if workers is None:
        each = max(1, min(CPUS, max(cpus, default=0)))
        return Division(max(1, sum(number // each for number in cpus)), each, 0)
    for each in range(max(cpus, default=0), 0, -1):
        if sum(number // each for number in cpus) >= workers:
            return Division(workers, each, 0)
    raise UsageError(
        f"--actors {workers}: Ray has {count(sum(cpus), 'CPU')}, and each actor takes one at "
        "least; give fewer."
    )


class RayWorkers:
    """A connection to Ray, and the workers hired there; a context manager, which disconnects.

    Args:
        address: As of ``start_ray``.
        workers: Number of workers, as of ``divide``.
        use_gpus: Whether each worker takes a GPU, if there are any.
        dashboard: As of ``start_ray``.

    Raises:
        UserError: As of ``start_ray`` and ``divide``.
    """

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        use_gpus: bool = True,
        dashboard: bool = False,
    ) -> None:
        self.ray = start_ray(address, dashboard)
        try:
            nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
            self.division = divide(nodes, workers, use_gpus)
        except BaseException:
            self.ray.shutdown()
            raise
        self._idle: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ray.shutdown()

    @contextmanager
    def hire(self, make: Callable[[], Hands[Item]]) -> Iterator[Crew[Item]]:
        """A context that gives workers for a job; if it ends well, they serve the next one too."""
        crew = _RayCrew[Item](self.ray, make, self.division, self._idle)
        try:
            yield crew
        except BaseException:
            crew.dismiss()
            raise
        crew.release()


class _RayCrew(Crew[Item]):
    """Workers that are actors of Ray.

    Args:
        ray: The module ray, connected.
        make: Makes what does the items, in a worker.
        division: Number of workers, and the CPUs and GPUs of each.
        idle: Actors whose job has ended; actors are taken from it, and returned to it.
    """

    def __init__(
        self, ray: Any, make: Callable[[], Hands[Item]], division: Division, idle: list[Any]
    ) -> None:
        self.size = division.workers
        self._idle = idle
        self._ray = ray
        self._actor = ray.remote(
            num_cpus=division.cpus,
            num_gpus=division.gpus,
            max_restarts=0,  # ``Spreading`` replaces lost workers itself
            max_task_retries=0,
        )(Worker)
        self._make = functools.partial(_make_there, Path.cwd(), division.cpus, make)
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, int] = {}

    def start(self, worker: int) -> None:
        """See ``Crew``."""
        self._let_go(worker)
        actor = self._idle.pop() if self._idle else self._actor.remote()
        self._actors[worker] = actor
        self._calls[actor.open.remote(self._make)] = worker

    def exchange(self, worker: int, items: Sequence[Item | None]) -> None:
        """See ``Crew``."""
        self._calls[self._actors[worker].exchange.remote(list(items))] = worker

    def wait(self, seconds: float) -> list[Answer]:
        """See ``Crew``."""
        calls = list(self._calls)
        ready, _ = self._ray.wait(calls, num_returns=1, timeout=seconds)
        return [self._hear(call) for call in ready]

    def dismiss(self) -> None:
        """Kill all actors."""
        for worker in list(self._actors):
            self._let_go(worker)

    def release(self) -> None:
        """Keep all actors for another job; further replies about this one are ignored."""
        self._idle += self._actors.values()
        self._actors.clear()
        self._calls.clear()

    def _hear(self, call: Any) -> Answer:
        worker = self._calls.pop(call)
        try:
            reply: Reply = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            return Answer(worker, Reply([], RuntimeError(str(error))))
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            return Answer(worker, None, lines[0].strip().rstrip("."))
        return Answer(worker, reply)

    def _let_go(self, worker: int) -> None:
        """Kill a worker's actor, which may still run though Ray reports it as lost."""
        actor = self._actors.pop(worker, None)
        if actor is not None:
            with suppress(Exception):  # the actor, or Ray, may have ended
                self._ray.kill(actor)


def _make_there(folder: Path, threads: int, make: Callable[[], Hands[Item]]) -> Hands[Item]:
    """Call ``make`` in a worker, with so many CPU threads, and in the caller's folder, so that
    relative paths mean the same.
    """
    import torch

    with suppress(OSError):  # a missing folder shows when a path in it is needed
        os.chdir(folder)
    torch.set_num_threads(threads)
    return make()
