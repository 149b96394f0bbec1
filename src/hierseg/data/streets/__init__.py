"""Miniature Streets: drawn street scenes with exact labels in Cityscapes' classes.

``draw_street`` makes one scene, ``write_streets`` a set of them in Cityscapes' folder layout. A
scene is composed without regard to the picture's size (scene.py), and painted twice as large as
asked for, colour and label id in one buffer, from far to near (rendering.py).
"""

from hierseg.data.streets.rendering import draw_street, draw_street_instances
from hierseg.data.streets.writing import scene_seed, write_streets

__all__ = ["draw_street", "draw_street_instances", "scene_seed", "write_streets"]
