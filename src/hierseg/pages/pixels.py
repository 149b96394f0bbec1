"""What the page knows of pixels: class and confidence, for whatever is pointed at.

A page that is opened from disk may show pictures, but not read their pixels, so they come as a
script: it holds small pictures as text, and is loaded when an image is first pointed at.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.files import write_text
from hierseg.inference import Prediction

LONGEST = 640
"""Pixels of the longer side of what is known."""
STEPS = 50
"""Of confidence, from 0 to 1; more would take more bytes than pictures do."""
UNKNOWN = 255
"""Where there is no confidence."""

Values = npt.NDArray[np.uint8]


def write_pixels(prediction: Prediction, path: Path, name: str, scales: bool = False) -> Path:
    """Write class and confidence of an image as a script of its page.

    Args:
        prediction: Of the image.
        path: The script.
        name: Of the image on the page.
        scales: Whether the page shows what each scale says alone, too.
    """
    height, width = prediction.labels.shape
    factor = min(1.0, LONGEST / max(height, width))
    rows = np.linspace(0, height - 1, max(1, round(height * factor))).round().astype(int)
    columns = np.linspace(0, width - 1, max(1, round(width * factor))).round().astype(int)
    chosen = np.ix_(rows, columns)
    known = prediction.confidence[chosen]  # NaN where an exported graph gives labels alone
    steps = np.rint(np.nan_to_num(known) * STEPS).astype(np.uint8)
    confidence = np.where(np.isnan(known), np.uint8(UNKNOWN), steps)
    pictures = {"": _encode(prediction.labels[chosen], confidence)}
    for scale, labels in (prediction.per_scale or {}).items() if scales else ():
        pictures[f"{scale:g}"] = _encode(labels[chosen], np.full_like(confidence, UNKNOWN))
    return write_text(path, f"hiersegPixels({json.dumps(name)}, {json.dumps(pictures)});\n")


def _encode(labels: Values, confidence: Values) -> str:
    """A PNG as an address: red is the train id, green the confidence."""
    blue = np.zeros_like(labels)
    encoded = cv2.imencode(".png", np.stack([blue, confidence, labels], axis=2))[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
