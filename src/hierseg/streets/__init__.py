"""Miniature Streets: drawn street scenes with exact labels in Cityscapes' classes.

``draw_street`` makes one scene, ``film_street`` the frames of a clip with the exact flow between
them, ``write_streets`` a set of either in Cityscapes' folder layout. A
scene is composed without regard to the picture's size (scene.py), and painted twice as large as
asked for, colour and label id in one buffer, from far to near (rendering.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.streets.clips import frame_paths, labelled_frame
    from hierseg.streets.filming import film_street
    from hierseg.streets.rendering import draw_street
    from hierseg.streets.sets import write_streets
    from hierseg.streets.writing import scene_seed
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "clips": ("frame_paths", "labelled_frame"),
            "filming": ("film_street",),
            "rendering": ("draw_street",),
            "sets": ("write_streets",),
            "writing": ("scene_seed",),
        },
    )

__all__ = [
    "draw_street",
    "film_street",
    "frame_paths",
    "labelled_frame",
    "scene_seed",
    "write_streets",
]
