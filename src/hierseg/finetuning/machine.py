"""The properties of the machine that a plan depends on."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch

from hierseg.assembly import choose_device
from hierseg.engines import read_cpu_flags

BF16 = frozenset({"amx_bf16", "avx512_bf16"})


class Machine(NamedTuple):
    """The machine that training runs on.

    Attributes:
        device: cpu, cuda or cuda:N.
        cores: CPU cores that this process may use.
        memory: Memory of the GPU in bytes; 0 without one.
        has_bf16: Whether bfloat16 is faster than float32.
    """

    device: str
    cores: int = 2
    memory: int = 0
    has_bf16: bool = False


def find_machine(device: str) -> Machine:
    """This machine; UsageError for a device that it lacks."""
    chosen = choose_device(device, "--device")
    is_told = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if is_told else os.cpu_count() or 1
    if chosen.type == "cpu":
        return Machine("cpu", cores, 0, bool(BF16 & read_cpu_flags()))
    properties = torch.cuda.get_device_properties(chosen)
    return Machine(str(chosen), cores, properties.total_memory, properties.major >= 8)
