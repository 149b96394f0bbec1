"""Shows a prediction as a line of text, and as a picture in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.labels import LabelSpace
from hierseg.media import hex_colors, shrink

LONGEST = 640
"""Pixels of the longer side of a notebook's picture."""
NAMED = 3
"""Most classes that the line names."""
LISTED = 12
"""Most classes that are listed below a notebook's picture."""

Picture = npt.NDArray[np.uint8]


def describe(name: str, size: str, shares: Mapping[str, float], confidence: float) -> str:
    """A line such as ``Prediction(a.jpg, 96x160, road 41 %, sky 9 %, 2 more, confidence 0.93)``."""
    parts = [name, size] if name else [size]
    parts += [f"{one} {_percent(share)}" for one, share in list(shares.items())[:NAMED]]
    if len(shares) > NAMED:
        parts.append(f"{len(shares) - NAMED} more")
    return f"Prediction({', '.join(parts)}, confidence {confidence:.2f})"


def draw_png(overlay: Picture) -> bytes:
    """A reduced overlay as a PNG."""
    return _encode(overlay, ".png")


def draw_html(overlay: Picture, line: str, shares: Mapping[str, float], space: LabelSpace) -> str:
    """A reduced overlay embedded in HTML, with its classes below it."""
    picture = base64.b64encode(_encode(overlay, ".jpg")).decode("ascii")
    colors = hex_colors(space)
    listed = list(shares.items())[:LISTED]
    legend = "".join(
        '<span style="display:inline-block;margin-right:1em;white-space:nowrap">'
        '<i style="display:inline-block;width:.8em;height:.8em;border-radius:.2em;'
        f'margin-right:.35em;background:{colors[name]}"></i>'
        f"{escape(name)} {_percent(share)}</span>"
        for name, share in listed
    )
    if len(shares) > len(listed):
        legend += f"<span>{len(shares) - len(listed)} more</span>"
    return (
        f'<div style="max-width:{LONGEST}px"><img alt="{escape(line)}" style="max-width:100%" '
        f'src="data:image/jpeg;base64,{picture}"><div style="font-size:.85em;line-height:1.6">'
        f"{legend}</div></div>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _encode(overlay: Picture, suffix: str) -> bytes:
    small = cv2.cvtColor(shrink(overlay, LONGEST), cv2.COLOR_RGB2BGR)
    return cv2.imencode(suffix, small)[1].tobytes()
