"""A network, its label space and its scales in one file.

Names are loaded on first use, so that finding a file costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "DEFAULT_WEIGHTS",
    "FORMAT_VERSION",
    "Header",
    "annotate_checkpoint",
    "find_statistics",
    "find_weights",
    "header_of",
    "is_trunk",
    "load_model",
    "packaged_weights",
    "place_network",
    "read_conventions",
    "read_header",
    "read_weights",
    "save_checkpoint",
    "stored_temperature",
]

if TYPE_CHECKING:
    from hierseg.checkpoint.annotate import annotate_checkpoint, stored_temperature
    from hierseg.checkpoint.finding import DEFAULT_WEIGHTS, find_weights, packaged_weights
    from hierseg.checkpoint.format import FORMAT_VERSION, Header, header_of, read_header
    from hierseg.checkpoint.load import (
        find_statistics,
        is_trunk,
        load_model,
        place_network,
        read_conventions,
        read_weights,
    )
    from hierseg.checkpoint.save import save_checkpoint
else:  # type checkers would take any name for one that this gives
    _HOMES = {
        "annotate_checkpoint": "annotate",
        "stored_temperature": "annotate",
        "DEFAULT_WEIGHTS": "finding",
        "find_weights": "finding",
        "packaged_weights": "finding",
        "FORMAT_VERSION": "format",
        "Header": "format",
        "header_of": "format",
        "read_header": "format",
        "find_statistics": "load",
        "is_trunk": "load",
        "load_model": "load",
        "place_network": "load",
        "read_conventions": "load",
        "read_weights": "load",
        "save_checkpoint": "save",
    }

    def __getattr__(name: str) -> object:
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
