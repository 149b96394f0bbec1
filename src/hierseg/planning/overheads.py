"""What a process takes beside its tensors, and sizes of memory as they are written."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hierseg.errors import UsageError
from hierseg.planning.estimate import Estimate

KEPT_SHARE = 0.1
"""Of the tensors' bytes, what the C library keeps in pieces that nothing fits into."""
TOP_PAD = 64 * 2**20
"""Bytes that it takes in advance (``inference.memory``)."""
CONTEXT = 512 * 2**20
"""Bytes of CUDA's context and libraries on a GPU: a usual figure, not measured here."""
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def add_overheads(estimate: Estimate, program: int | None) -> Estimate:
    """The estimate with the allocator's part and the program's.

    Args:
        estimate: Of the tensors.
        program: Bytes that the process has before there are tensors, on a CPU; None on a GPU.
    """
    kept = int(KEPT_SHARE * estimate.total) + (0 if program is None else TOP_PAD)
    parts = {"allocator": kept, "program": CONTEXT if program is None else program}
    return replace(estimate, parts=estimate.parts | parts)


def read_resident() -> int:
    """Bytes of this process that are in memory, libraries included; 0 where Linux is not there."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def parse_memory(text: str) -> int:
    """Bytes of ``"24G"``, ``"24GB"``, ``"24GiB"``, ``"500M"``, each unit 1024 of the one below."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size <= 0:
        raise UsageError(f"'{text}' is no amount of memory; give --gpu-memory 24G, for example.")
    return size
