"""Labels for images that have none, by a trained network (METHOD section 7; HMSA section 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.autolabel.journal import Shard
    from hierseg.autolabel.labelling import autolabel
    from hierseg.autolabel.summary import AutoSummary, format_summary, summarise
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "journal": ("Shard",),
            "labelling": ("autolabel",),
            "summary": (
                "AutoSummary",
                "format_summary",
                "summarise",
            ),
        },
    )

__all__ = [
    "AutoSummary",
    "Shard",
    "autolabel",
    "format_summary",
    "summarise",
]
