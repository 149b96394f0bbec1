"""Images and videos: finding, reading, writing and rendering them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.media.camera import Camera
    from hierseg.media.charts import Bar, draw_bars
    from hierseg.media.names import assign_names
    from hierseg.media.pacing import pace_frames
    from hierseg.media.palettes import (
        PALETTES,
        PaletteName,
        choose_colors,
        find_background,
        recolor,
    )
    from hierseg.media.picture_writing import (
        UnwritableError,
        as_unwritable,
        show_picture,
        write_figure,
        write_labelled,
        write_picture,
    )
    from hierseg.media.pictures import (
        MAX_PIXELS,
        check_size,
        convert_image,
        decode_image,
        pixels_counted_here,
        read_image,
    )
    from hierseg.media.rendering import (
        ALPHA,
        Picture,
        describe_legend,
        hex_colors,
        map_rows,
        render_color,
        render_errors,
        render_grey,
        render_heat,
        render_overlay,
        shrink,
    )
    from hierseg.media.sources import Sources, expand_user, find_sources
    from hierseg.media.video import WHOLE, Clip, Frame, Video, is_video
    from hierseg.media.video_writing import OverlayVideo
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "camera": ("Camera",),
            "pacing": ("pace_frames",),
            "charts": ("Bar", "draw_bars"),
            "names": ("assign_names",),
            "palettes": (
                "PALETTES",
                "PaletteName",
                "choose_colors",
                "find_background",
                "recolor",
            ),
            "picture_writing": (
                "UnwritableError",
                "as_unwritable",
                "show_picture",
                "write_figure",
                "write_labelled",
                "write_picture",
            ),
            "pictures": (
                "MAX_PIXELS",
                "check_size",
                "convert_image",
                "decode_image",
                "pixels_counted_here",
                "read_image",
            ),
            "rendering": (
                "ALPHA",
                "Picture",
                "describe_legend",
                "hex_colors",
                "map_rows",
                "render_color",
                "render_errors",
                "render_grey",
                "render_heat",
                "render_overlay",
                "shrink",
            ),
            "sources": (
                "Sources",
                "expand_user",
                "find_sources",
            ),
            "video": (
                "Clip",
                "Frame",
                "Video",
                "WHOLE",
                "is_video",
            ),
            "video_writing": ("OverlayVideo",),
        },
    )

__all__ = [
    "ALPHA",
    "MAX_PIXELS",
    "PALETTES",
    "WHOLE",
    "Bar",
    "Camera",
    "Clip",
    "Frame",
    "OverlayVideo",
    "PaletteName",
    "Picture",
    "Sources",
    "UnwritableError",
    "Video",
    "as_unwritable",
    "assign_names",
    "check_size",
    "choose_colors",
    "convert_image",
    "decode_image",
    "describe_legend",
    "draw_bars",
    "expand_user",
    "find_background",
    "find_sources",
    "hex_colors",
    "is_video",
    "map_rows",
    "pace_frames",
    "pixels_counted_here",
    "read_image",
    "recolor",
    "render_color",
    "render_errors",
    "render_grey",
    "render_heat",
    "render_overlay",
    "show_picture",
    "shrink",
    "write_figure",
    "write_labelled",
    "write_picture",
]
