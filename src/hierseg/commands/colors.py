"""The colours that pictures show classes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hierseg.labels import LabelSpace

Palette = Literal["dataset", "distinct", "colorblind"]


def choose_palette(space: LabelSpace, palette: Palette | None) -> LabelSpace:
    """The label space with a palette's colours; its own where none is asked for."""
    from hierseg.media import recolor

    return space if palette is None else recolor(space, palette)
