"""Engines: what executes a network, behind one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.engines.candidates import list_candidates, read_cpu_flags
    from hierseg.engines.exported_engine import Decision, ExportedEngine, load_weights
    from hierseg.engines.exported_files import read_graph_header
    from hierseg.engines.exported_header import ExportedHeader, read_metadata
    from hierseg.engines.exported_runners import find_runner, open_session
    from hierseg.engines.fingerprints import fingerprint
    from hierseg.engines.foreseeing import Foreseen, foresee
    from hierseg.engines.gated import ComputeScale, GatedRun, check_gating
    from hierseg.engines.graphs import convert_graph, prepare_network, trace_graph
    from hierseg.engines.live import LiveBytes, bytes_of
    from hierseg.engines.memory import (
        keep_freed_memory,
        lacks_memory,
        read_resident,
        read_room,
        returning_freed_memory,
        trim_memory,
    )
    from hierseg.engines.opening import (
        clear_trials,
        describe_engine,
        expect_images,
        expect_more,
        list_trials,
        make_runner,
        open_engine,
        plain_engine,
    )
    from hierseg.engines.protocol import Engine, ScaleRunner
    from hierseg.engines.torch_engine import TorchEngine, as_engine
    from hierseg.engines.trial import Trial
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
                "read_resident",
                "read_room",
                "returning_freed_memory",
                "trim_memory",
            ),
            "protocol": ("Engine", "ScaleRunner"),
            "candidates": ("list_candidates", "read_cpu_flags"),
            "exported_engine": ("Decision", "ExportedEngine", "load_weights"),
            "exported_files": ("read_graph_header",),
            "exported_runners": ("find_runner", "open_session"),
            "exported_header": ("ExportedHeader", "read_metadata"),
            "fingerprints": ("fingerprint",),
            "foreseeing": ("Foreseen", "foresee"),
            "graphs": ("convert_graph", "prepare_network", "trace_graph"),
            "opening": (
                "clear_trials",
                "describe_engine",
                "expect_images",
                "expect_more",
                "list_trials",
                "make_runner",
                "open_engine",
                "plain_engine",
            ),
            "torch_engine": (
                "TorchEngine",
                "as_engine",
            ),
            "trial": ("Trial",),
        },
    )

__all__ = [
    "ComputeScale",
    "Decision",
    "Engine",
    "ExportedEngine",
    "ExportedHeader",
    "Foreseen",
    "GatedRun",
    "LiveBytes",
    "ScaleRunner",
    "TorchEngine",
    "Trial",
    "as_engine",
    "bytes_of",
    "check_gating",
    "clear_trials",
    "convert_graph",
    "describe_engine",
    "expect_images",
    "expect_more",
    "find_runner",
    "fingerprint",
    "foresee",
    "keep_freed_memory",
    "lacks_memory",
    "list_candidates",
    "list_trials",
    "load_weights",
    "make_runner",
    "open_engine",
    "open_session",
    "plain_engine",
    "prepare_network",
    "read_cpu_flags",
    "read_graph_header",
    "read_metadata",
    "read_resident",
    "read_room",
    "returning_freed_memory",
    "trace_graph",
    "trim_memory",
]
