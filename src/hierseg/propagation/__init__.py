"""Labels through video (METHOD section 8): clips, SDC-Net's data and loop, how good flow is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.propagation.flow_evaluation import FlowFigures, choose_triples, evaluate_flow
    from hierseg.propagation.sdcnet_settings import SdcNetExperiment
    from hierseg.propagation.sdcnet_training import Watch, describe_figures, train_sdcnet
    from hierseg.propagation.triples import Clips, find_clips
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "flow_evaluation": ("FlowFigures", "choose_triples", "evaluate_flow"),
            "sdcnet_settings": ("SdcNetExperiment",),
            "sdcnet_training": ("Watch", "describe_figures", "train_sdcnet"),
            "triples": ("Clips", "find_clips"),
        },
    )

__all__ = [
    "Clips",
    "FlowFigures",
    "SdcNetExperiment",
    "Watch",
    "choose_triples",
    "describe_figures",
    "evaluate_flow",
    "find_clips",
    "train_sdcnet",
]
