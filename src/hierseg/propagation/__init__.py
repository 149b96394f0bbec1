"""Labels through video: from a labelled frame to those around it (METHOD section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.propagation.chains import Mode, Rules, propagate_frame
    from hierseg.propagation.classes import find_label_space
    from hierseg.propagation.frames import CityscapesSequence, FrameFolder, FrameSource, FrameVideo
    from hierseg.propagation.outputs import DESCRIPTION
    from hierseg.propagation.propagating import PropagationSummary, propagate
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "chains": ("Mode", "Rules", "propagate_frame"),
            "classes": ("find_label_space",),
            "frames": ("CityscapesSequence", "FrameFolder", "FrameSource", "FrameVideo"),
            "outputs": ("DESCRIPTION",),
            "propagating": ("PropagationSummary", "propagate"),
        },
    )

__all__ = [
    "DESCRIPTION",
    "CityscapesSequence",
    "FrameFolder",
    "FrameSource",
    "FrameVideo",
    "Mode",
    "PropagationSummary",
    "Rules",
    "find_label_space",
    "propagate",
    "propagate_frame",
]
