"""Scenes that the model never saw, segmented, beside the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.demo.demonstration import DemoResult, run_demo
    from hierseg.demo.scenes import DEMO_SEED, WEIGHTS, DemoScene, draw_scenes
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "demonstration": (
                "DemoResult",
                "run_demo",
            ),
            "scenes": (
                "DEMO_SEED",
                "DemoScene",
                "WEIGHTS",
                "draw_scenes",
            ),
        },
    )

__all__ = [
    "DEMO_SEED",
    "WEIGHTS",
    "DemoResult",
    "DemoScene",
    "draw_scenes",
    "run_demo",
]
