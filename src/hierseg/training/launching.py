"""Fabric, set up for a run: processes, device and precision."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.strategy import Strategy

from hierseg.assembly import choose_device
from hierseg.config import Experiment, RuntimeConfig
from hierseg.distributed import describe_unreached
from hierseg.errors import UsageError
from hierseg.processes import Launch

Engine = tuple[Fabric, Precision]


def launch_engine(experiment: Experiment, launch: Launch) -> Engine:
    """The launched engine, with its precision, whose state (fp16's loss scale) a run must keep.

    Raises:
        UsageError: This machine lacks the device, or several processes are given one GPU.
        UserError: The processes do not find each other.
    """
    runtime = experiment.runtime
    device = _choose_device(runtime, launch)
    precision = _choose_precision(runtime.precision, device.type)
    devices: int | list[int] = 1
    strategy: str | Strategy = "auto"
    if launch.processes > 1:
        devices, strategy = launch.local_processes, _distribute(experiment)
    elif device.index is not None:
        devices = [device.index]
    fabric = Fabric(
        accelerator=device.type,
        devices=devices,
        num_nodes=launch.machines,
        strategy=strategy,
        plugins=[precision, _choose_environment(launch)],
    )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells of every launch
    try:
        fabric.launch()
    except torch.distributed.DistError as error:
        raise describe_unreached(launch) from error
    return fabric, precision


def _choose_device(runtime: RuntimeConfig, launch: Launch) -> torch.device:
    device = choose_device(runtime.device)
    if launch.processes == 1 or device.type == "cpu":
        return device
    index: int | None = device.index  # typed as never None
    if index is not None:
        raise UsageError(
            f"{launch.processes} processes cannot share '{runtime.device}'; give --runtime.device "
            "cuda, of which each takes its own."
        )
    if torch.cuda.device_count() < launch.local_processes:
        raise UsageError(
            f"this machine has {torch.cuda.device_count()} GPUs for {launch.local_processes} "
            "processes; launch as many as there are GPUs, or give --runtime.device cpu."
        )
    return device


def _distribute(experiment: Experiment) -> DDPStrategy:
    scales = experiment.model.train_scales
    # The attention over scales has no gradient in training on one scale.
    return DDPStrategy(find_unused_parameters=scales is not None and len(scales) == 1)


def _choose_environment(launch: Launch) -> ClusterEnvironment:
    if launch.by == "torchrun" and launch.processes > 1:
        return TorchElasticEnvironment()
    if launch.by == "slurm":
        return SlurmStep(launch)
    return LightningEnvironment()


class SlurmStep(ClusterEnvironment):
    """The tasks of a SLURM job step as the processes of a run.

    Fabric's own environment looks at the whole job, which may have other steps, and requires
    ``--ntasks-per-node``.

    Args:
        launch: This process's place among the step's tasks.
    """

    def __init__(self, launch: Launch) -> None:
        super().__init__()
        self.launch = launch
        # Where torch.distributed reads them too.
        os.environ.setdefault("MASTER_ADDR", self._first_machine())
        os.environ.setdefault("MASTER_PORT", str(self._port()))

    @property
    def creates_processes_externally(self) -> bool:
        """Always: srun has created them."""
        return True

    @property
    def main_address(self) -> str:
        """``MASTER_ADDR``, or the first machine of the step."""
        return os.environ["MASTER_ADDR"]

    @property
    def main_port(self) -> int:
        """``MASTER_PORT``, or one by the number of the job and its step."""
        return int(os.environ["MASTER_PORT"])

    @staticmethod
    def detect() -> bool:
        """Whether this process is one of several tasks of a step."""
        return Launch.find().by == "slurm"

    def world_size(self) -> int:
        """Tasks of the step."""
        return self.launch.processes

    def set_world_size(self, size: int) -> None:
        """Nothing: the step has the tasks that it has."""

    def global_rank(self) -> int:
        """This task's number in the step."""
        return self.launch.rank

    def set_global_rank(self, rank: int) -> None:
        """Nothing: see ``set_world_size``."""

    def local_rank(self) -> int:
        """This task's number on its machine."""
        return self.launch.local_rank

    def node_rank(self) -> int:
        """The machine's number in the step."""
        return self.launch.rank // self.launch.local_processes

    def _first_machine(self) -> str:
        names = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_NODELIST", "127.0.0.1"))
        return SLURMEnvironment.resolve_root_node_address(names)

    def _port(self) -> int:
        job, step = (os.environ.get(f"SLURM_{name}_ID", "0") for name in ("JOB", "STEP"))
        number = int(job) + int(step) if job.isdigit() and step.isdigit() else 0
        return 20_000 + number % 20_000


def _choose_precision(name: str, device: str) -> Precision:
    if name == "bf16":
        return MixedPrecision("bf16-mixed", device)
    if name == "fp16":
        return MixedPrecision("16-mixed", device)
    return Precision()


@contextmanager
def repeatable(is_wanted: bool) -> Iterator[None]:
    """Within the context torch uses deterministic algorithms.

    For an operation without one, such as some resizing on GPUs, torch warns and goes on.
    """
    if not is_wanted:
        yield
        return
    # cuBLAS reads it when it is first used; without it torch refuses matrix products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
