"""Where and at which scales a network runs, checked by the flags that say it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hierseg import options
from hierseg.errors import UsageError


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


def check_scales(scales: Sequence[float], flag: str) -> None:
    """Refuse a set of scales that no network can run, or hierarchical fusion cannot (METHOD section
    2).
    """
    try:
        checked = options.check_scales(scales)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from error
    shown = " ".join(f"{scale:g}" for scale in checked)
    if 1.0 not in checked:
        raise UsageError(f"the scales ({shown}) must include 1; give for example {flag} 0.5 1.")
