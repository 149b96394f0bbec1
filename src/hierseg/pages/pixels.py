"""Classes and confidences of pixels, which the page shows for the pixel under the pointer.

A page that is opened from disk may show pictures but not read their pixels. So the values come as a
script, which holds small pictures as text and is loaded when an image is first pointed at.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.files import write_text
from hierseg.inference import Prediction

LONGEST = 640
"""Most pixels of the longer side of these pictures."""
STEPS = 50
"""Steps of confidence from 0 to 1; with more, the script would be larger than the picture."""
UNKNOWN = 255
"""Value of pixels without a confidence."""

Values = npt.NDArray[np.uint8]


def write_pixels(prediction: Prediction, path: Path, name: str, scales: bool = False) -> Path:
    """Write the classes and confidences of an image as a script.

    Args:
        prediction: The prediction for the image.
        path: The script.
        name: Name of the image on the page.
        scales: Write each scale's own classes too.
    """
    height, width = prediction.labels.shape
    factor = min(1.0, LONGEST / max(height, width))
    rows = np.linspace(0, height - 1, max(1, round(height * factor))).round().astype(int)
    columns = np.linspace(0, width - 1, max(1, round(width * factor))).round().astype(int)

    def choose(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values if factor == 1 else values[np.ix_(rows, columns)]

    known = choose(prediction.confidence)
    unknown = np.full(known.shape, UNKNOWN, np.uint8)
    missing = np.isnan(known)  # an exported graph may give labels alone
    if missing.any():
        known = np.where(missing, 0, known)
    confidence = np.rint(known * STEPS).astype(np.uint8)
    confidence[missing] = UNKNOWN
    pictures = {"": _encode(choose(prediction.labels), confidence)}
    for scale, labels in (prediction.per_scale or {}).items() if scales else ():
        pictures[f"{scale:g}"] = _encode(choose(labels), unknown)
    return write_text(path, f"hiersegPixels({json.dumps(name)}, {json.dumps(pictures)});\n")


def _encode(labels: Values, confidence: Values) -> str:
    """A grey PNG as a ``data:`` URL: train ids, and below them the steps of confidence."""
    encoded = cv2.imencode(".png", np.concatenate([labels, confidence]))[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
