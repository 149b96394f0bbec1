"""Blocks that models share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.layers.bands import Band, resize_band, split_rows, take_band
    from hierseg.layers.convolution import (
        ConvNormAct,
        find_ratio,
        initialise_convolutions,
        resize_to,
        scaled_size,
    )
    from hierseg.layers.row_maps import (
        ComputedMap,
        MirroredMean,
        ResizedMap,
        RowMap,
        TensorMap,
        resize_map,
    )
    from hierseg.layers.synchronised import Synchronised, synchronise_norms
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "bands": ("Band", "resize_band", "split_rows", "take_band"),
            "convolution": (
                "ConvNormAct",
                "find_ratio",
                "initialise_convolutions",
                "resize_to",
                "scaled_size",
            ),
            "row_maps": (
                "ComputedMap",
                "MirroredMean",
                "ResizedMap",
                "RowMap",
                "TensorMap",
                "resize_map",
            ),
            "synchronised": (
                "Synchronised",
                "synchronise_norms",
            ),
        },
    )

__all__ = [
    "Band",
    "ComputedMap",
    "ConvNormAct",
    "MirroredMean",
    "ResizedMap",
    "RowMap",
    "Synchronised",
    "TensorMap",
    "find_ratio",
    "initialise_convolutions",
    "resize_band",
    "resize_map",
    "resize_to",
    "scaled_size",
    "split_rows",
    "synchronise_norms",
    "take_band",
]
