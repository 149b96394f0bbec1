"""What a plan needs to know of the machine."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch

from hierseg.assembly import choose_device
from hierseg.engines import read_cpu_flags

BF16 = frozenset({"amx_bf16", "avx512_bf16"})


class Machine(NamedTuple):
    """Where training runs.

    Attributes:
        device: cpu, cuda or cuda:N.
        cores: Of the processor, as far as this process may use them.
        memory: Bytes of the GPU; 0 without one.
        has_bf16: Whether arithmetic in bfloat16 is faster than in float32.
    """

    device: str
    cores: int = 2
    memory: int = 0
    has_bf16: bool = False


def find_machine(device: str) -> Machine:
    """The machine that this is; UsageError for a device that it has not."""
    chosen = choose_device(device, "--device")
    is_told = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if is_told else os.cpu_count() or 1
    if chosen.type == "cpu":
        return Machine("cpu", cores, 0, bool(BF16 & read_cpu_flags()))
    properties = torch.cuda.get_device_properties(chosen)
    return Machine(str(chosen), cores, properties.total_memory, properties.major >= 8)
