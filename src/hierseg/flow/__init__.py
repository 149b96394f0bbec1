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
    from hierseg.flow.folder import CITYSCAPES, FolderFlow, name_flow
    from hierseg.flow.protocol import Flow, FlowError, FlowEstimator, Image, Pair
    from hierseg.flow.raft import RAFT_SIZES, RaftFlow, build_raft
    from hierseg.flow.sdcnet import FRAMES, PUBLISHED_LAYERS, SdcNet
    from hierseg.flow.sdcnet_flow import SdcNetFlow, pad_flow, pad_image, stack_frames
    from hierseg.flow.sdcnet_loss import measure_reconstruction
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
            "folder": ("CITYSCAPES", "FolderFlow", "name_flow"),
            "protocol": ("Flow", "FlowError", "FlowEstimator", "Image", "Pair"),
            "raft": ("RAFT_SIZES", "RaftFlow", "build_raft"),
            "sdcnet": ("FRAMES", "PUBLISHED_LAYERS", "SdcNet"),
            "sdcnet_flow": ("SdcNetFlow", "pad_flow", "pad_image", "stack_frames"),
            "sdcnet_loss": ("measure_reconstruction",),
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
    "CITYSCAPES",
    "FRAMES",
    "PASSES",
    "PUBLISHED_LAYERS",
    "RAFT_SIZES",
    "DisFlow",
    "Flow",
    "FlowError",
    "FlowEstimator",
    "FolderFlow",
    "Image",
    "Pair",
    "RaftFlow",
    "SdcNet",
    "SdcNetFlow",
    "build_raft",
    "check_flow",
    "find_leaving",
    "leaves_picture",
    "measure_difference",
    "measure_reconstruction",
    "name_flow",
    "pad_flow",
    "pad_image",
    "read_flow",
    "stack_frames",
    "warp",
    "warp_image",
    "warp_labels",
    "warp_nearest",
    "write_flow",
]
