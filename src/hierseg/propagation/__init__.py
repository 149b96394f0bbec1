"""Labels through video (VPLR, arXiv 1812.01593; METHOD section 8): propagates the labels of a frame
to the frames around it, trains SDC-Net, and evaluates flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.propagation.chains import Mode, Rules, propagate_frame
    from hierseg.propagation.classes import find_label_space
    from hierseg.propagation.flow_evaluation import FlowFigures, choose_triples, evaluate_flow
    from hierseg.propagation.frames import CityscapesSequence, FrameFolder, FrameSource, FrameVideo
    from hierseg.propagation.outputs import DESCRIPTION
    from hierseg.propagation.propagating import PropagationSummary, propagate
    from hierseg.propagation.sdcnet_settings import SdcNetExperiment
    from hierseg.propagation.sdcnet_training import Watch, describe_figures, train_sdcnet
    from hierseg.propagation.triples import Clips, find_clips
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "chains": ("Mode", "Rules", "propagate_frame"),
            "classes": ("find_label_space",),
            "frames": ("CityscapesSequence", "FrameFolder", "FrameSource", "FrameVideo"),
            "outputs": ("DESCRIPTION",),
            "propagating": ("PropagationSummary", "propagate"),
            "flow_evaluation": ("FlowFigures", "choose_triples", "evaluate_flow"),
            "sdcnet_settings": ("SdcNetExperiment",),
            "sdcnet_training": ("Watch", "describe_figures", "train_sdcnet"),
            "triples": ("Clips", "find_clips"),
        },
    )

__all__ = [
    "DESCRIPTION",
    "CityscapesSequence",
    "Clips",
    "FlowFigures",
    "FrameFolder",
    "FrameSource",
    "FrameVideo",
    "Mode",
    "PropagationSummary",
    "Rules",
    "SdcNetExperiment",
    "Watch",
    "choose_triples",
    "describe_figures",
    "evaluate_flow",
    "find_clips",
    "find_label_space",
    "propagate",
    "propagate_frame",
    "train_sdcnet",
]
