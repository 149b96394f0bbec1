"""Motion between frames: who estimates it, how images and labels are moved by it, how far it can be
trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.flow.confidence import PASSES, check_flow, measure_difference
    from hierseg.flow.dis import DisFlow
    from hierseg.flow.flow_files import read_flow, write_flow
    from hierseg.flow.folder import FolderFlow, name_flow
    from hierseg.flow.protocol import FlowError, FlowEstimator, Pair
    from hierseg.flow.warping import (
        find_leaving,
        leaves_picture,
        warp,
        warp_image,
        warp_labels,
        warp_nearest,
    )
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "confidence": ("PASSES", "check_flow", "measure_difference"),
            "dis": ("DisFlow",),
            "flow_files": ("read_flow", "write_flow"),
            "folder": ("FolderFlow", "name_flow"),
            "protocol": ("FlowError", "FlowEstimator", "Pair"),
            "warping": (
                "find_leaving",
                "leaves_picture",
                "warp",
                "warp_image",
                "warp_labels",
                "warp_nearest",
            ),
        },
    )

__all__ = [
    "PASSES",
    "DisFlow",
    "FlowError",
    "FlowEstimator",
    "FolderFlow",
    "Pair",
    "check_flow",
    "find_leaving",
    "leaves_picture",
    "measure_difference",
    "name_flow",
    "read_flow",
    "warp",
    "warp_image",
    "warp_labels",
    "warp_nearest",
    "write_flow",
]
