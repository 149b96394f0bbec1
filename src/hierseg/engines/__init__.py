"""What executes a network, behind one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.engines.gated import ComputeScale, GatedRun, check_gating
    from hierseg.engines.live import LiveBytes, bytes_of
    from hierseg.engines.memory import (
        keep_freed_memory,
        lacks_memory,
        read_free_memory,
        read_resident,
        read_taken_memory,
        returning_freed_memory,
        trim_memory,
    )
    from hierseg.engines.protocol import Engine, ScaleRunner
    from hierseg.engines.torch_engine import TorchEngine, as_engine, fingerprint
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "gated": (
                "ComputeScale",
                "GatedRun",
                "check_gating",
            ),
            "live": (
                "LiveBytes",
                "bytes_of",
            ),
            "memory": (
                "keep_freed_memory",
                "lacks_memory",
                "read_free_memory",
                "read_resident",
                "read_taken_memory",
                "returning_freed_memory",
                "trim_memory",
            ),
            "protocol": ("Engine", "ScaleRunner"),
            "torch_engine": (
                "TorchEngine",
                "as_engine",
                "fingerprint",
            ),
        },
    )

__all__ = [
    "ComputeScale",
    "Engine",
    "GatedRun",
    "LiveBytes",
    "ScaleRunner",
    "TorchEngine",
    "as_engine",
    "bytes_of",
    "check_gating",
    "fingerprint",
    "keep_freed_memory",
    "lacks_memory",
    "read_free_memory",
    "read_resident",
    "read_taken_memory",
    "returning_freed_memory",
    "trim_memory",
]
