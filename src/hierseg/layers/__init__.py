"""Blocks that models share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.layers.convolution import (
        ConvNormAct,
        initialise_convolutions,
        resize_to,
        scaled_size,
    )
    from hierseg.layers.synchronised import Synchronised, synchronise_norms
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "convolution": ("ConvNormAct", "initialise_convolutions", "resize_to", "scaled_size"),
            "synchronised": (
                "Synchronised",
                "synchronise_norms",
            ),
        },
    )

__all__ = [
    "ConvNormAct",
    "Synchronised",
    "initialise_convolutions",
    "resize_to",
    "scaled_size",
    "synchronise_norms",
]
