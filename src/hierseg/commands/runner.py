"""Where a command's images are run: in this process, or by workers on Ray."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.errors import UsageError
from hierseg.options import RunOptions
from hierseg.processes import Launch

if TYPE_CHECKING:
    from hierseg.engines import Engine
    from hierseg.inference import Predictor
    from hierseg.jobs import Elsewhere, RayWorkers
    from hierseg.labels import LabelSpace
    from hierseg.models import SegmentationNetwork


@dataclass(frozen=True)
class RunnerFlags:
    """Where images are run."""

    runner: Literal["local", "ray"] = "local"
    """local runs images in this process; ray runs them in workers on Ray, which read sources and
    write outputs themselves, so that all machines need the same paths."""
    address: str | None = None
    """Ray's address: auto for a cluster that this machine is part of, HOST:6379, ray://HOST:10001;
    by default Ray is started here."""
    actors: int | None = None
    """Workers on Ray, each with a network of its own; by default one for each GPU, or for each four
    CPUs."""

    def check(self) -> None:
        """UsageError for flags that exclude each other."""
        if self.runner == "local":
            for flag, value in (("--address", self.address), ("--actors", self.actors)):
                if value is not None:
                    raise UsageError(f"{flag} is for Ray; add --runner ray, or leave it out.")
            return
        if self.actors is not None and self.actors < 1:
            raise UsageError(f"--actors {self.actors} runs nothing; give 1 or more.")
        if Launch.find().by == "torchrun" and Launch.find().processes > 1:
            raise UsageError("--runner ray has workers of its own; leave out torchrun.")

    def prefer_engine(self, how: RunOptions, engine: Literal["auto"]) -> RunOptions:
        """The options with an engine if none is given. On Ray that is torch, since the fastest
        engine may differ between machines.
        """
        return how.prefer_engine(engine if self.runner == "local" else "torch")

    @contextmanager
    def open(self, device: str) -> Iterator[RayWorkers | None]:
        """Workers; None where images are run in this process.

        Args:
            device: What ``--device`` says.
        """
        if self.runner == "local":
            yield None
            return
        from hierseg.commands.progress import announce
        from hierseg.jobs import RayWorkers

        with announce("starting Ray"):
            opened = RayWorkers(self.address, self.actors, use_gpus=device != "cpu")
        with opened as workers:
            yield workers


def send_to(workers: RayWorkers | None, load: Callable[[], Predictor]) -> Elsewhere | None:
    """Workers who run images with the predictor that ``load`` gives them; None where there are
    none.
    """
    from hierseg.jobs import Elsewhere

    return None if workers is None else Elsewhere(workers, load)


@functools.lru_cache(maxsize=1)
def load_network_once(weights: str | None, device: str) -> SegmentationNetwork | Engine:
    """What weights are run by, as a worker loads it for several jobs."""
    return load_network(weights, device)


def load_network(weights: str | None, device: str) -> SegmentationNetwork | Engine:
    """What weights are run by, with memory kept from one image to the next."""
    from hierseg.commands.running import load_runnable
    from hierseg.engines import keep_freed_memory

    keep_freed_memory()
    return load_runnable(weights, device)


def load_predictor(
    weights: str | None, device: str, space: LabelSpace | None, how: RunOptions
) -> Predictor:
    """A predictor, as a worker loads it."""
    from hierseg.commands.running import load_runnable
    from hierseg.engines import keep_freed_memory
    from hierseg.inference import Predictor

    keep_freed_memory()
    network = load_runnable(weights, device)
    return Predictor(network, label_space=space, options=how)


def name_for_all(weights: str | None) -> str | None:
    """Weights by a name that holds in any folder of any machine."""
    if weights is not None and Path(weights).exists():
        return str(Path(weights).absolute())
    return weights
