"""Memory of a process besides its tensors, and sizes of memory as users write them."""

from __future__ import annotations

from dataclasses import replace

from hierseg.engines import read_resident as read_resident
from hierseg.options import parse_memory as parse
from hierseg.planning.estimate import Estimate

KEPT_SHARE = 0.1
"""Share of the tensors' bytes that the C library loses to fragmentation."""
TOP_PAD = 64 * 2**20
"""Bytes that the C library allocates in advance (``engines.memory``)."""
CONTEXT = 512 * 2**20
"""Bytes of CUDA's context and libraries on a GPU: a usual figure, not measured here."""


def add_overheads(estimate: Estimate, program: int | None) -> Estimate:
    """The estimate with the allocator's part and the program's.

    Args:
        estimate: The estimate of the tensors.
        program: Bytes of the process before it has tensors, on a CPU; None on a GPU.
    """
    kept = int(KEPT_SHARE * estimate.total) + (0 if program is None else TOP_PAD)
    parts = {"allocator": kept, "program": CONTEXT if program is None else program}
    return replace(estimate, parts=estimate.parts | parts)


def parse_memory(text: str) -> int:
    """Bytes of ``"24G"`` and the like, as ``options.parse_memory`` reads them."""
    return parse(text, "--gpu-memory")
