"""Checks of the device and the scales that a network runs at; errors name the flag."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hierseg import options
from hierseg.errors import UsageError
from hierseg.processes import Launch


def choose_device(name: str, flag: str = "--runtime.device") -> torch.device:
    """``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` as a device that this machine has."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"'{name}' is not a device; give {flag} auto, cpu or cuda.") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"hierseg does not run on '{name}'; give {flag} cpu or cuda.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"this machine has no usable GPU; give {flag} cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"this machine has no '{name}', but cuda:0 to cuda:{torch.cuda.device_count() - 1}; "
            f"give {flag} one of them."
        )
    return device


def choose_own_device(name: str, flag: str = "--device") -> torch.device:
    """``choose_device``; of several processes launched by torchrun, each takes its own GPU.
    UsageError if there are too few GPUs.
    """
    device, launch = choose_device(name, flag), Launch.find()
    index: int | None = device.index  # typed as never None
    if launch.by != "torchrun" or launch.local_processes == 1 or device.type == "cpu":
        return device
    if index is not None:
        raise UsageError(
            f"{launch.processes} processes cannot share '{name}'; give {flag} cuda, of which each "
            "takes its own."
        )
    if torch.cuda.device_count() < launch.local_processes:
        raise UsageError(
            f"this machine has {torch.cuda.device_count()} GPUs for {launch.local_processes} "
            f"processes; launch as many as there are GPUs, or give {flag} cpu."
        )
    return torch.device("cuda", launch.local_rank)


def check_training_scales(scales: Sequence[float], flag: str) -> None:
    """UsageError for scales that no network, or no hierarchical one, can run (METHOD section 2)."""
    try:
        checked = options.check_scales(scales)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from error
    shown = " ".join(f"{scale:g}" for scale in checked)
    if 1.0 not in checked:
        raise UsageError(f"the scales ({shown}) must include 1; give for example {flag} 0.5 1.")
