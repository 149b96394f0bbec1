"""Fabric, set up for a run: device and precision."""

from __future__ import annotations

from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision

from hierseg.build import choose_device
from hierseg.config import RuntimeConfig


def launch_engine(runtime: RuntimeConfig) -> tuple[Fabric, Precision]:
    """The launched engine, and its precision, whose state (fp16's loss scale) a run has to keep."""
    device = choose_device(runtime.device)
    precision = _choose_precision(runtime.precision, device.type)
    devices: int | list[int] = 1
    if device.index is not None:
        devices = [device.index]
    fabric = Fabric(accelerator=device.type, devices=devices, plugins=[precision])
    fabric.launch()
    return fabric, precision


def _choose_precision(name: str, device: str) -> Precision:
    if name == "bf16":
        return MixedPrecision("bf16-mixed", device)
    if name == "fp16":
        return MixedPrecision("16-mixed", device)
    return Precision()
