"""Classes and confidences of pixels, which the page shows for the pixel under the pointer.

A page that is opened from disk may show pictures but not read their pixels. So the values come as a
script, which holds small pictures as text and is loaded when an image is first pointed at.
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
    chosen = np.ix_(rows, columns)
    known = prediction.confidence[chosen]  # NaN where an exported graph gives labels alone
    steps = np.rint(np.nan_to_num(known) * STEPS).astype(np.uint8)
    confidence = np.where(np.isnan(known), np.uint8(UNKNOWN), steps)
    pictures = {"": _encode(prediction.labels[chosen], confidence)}
    for scale, labels in (prediction.per_scale or {}).items() if scales else ():
        pictures[f"{scale:g}"] = _encode(labels[chosen], np.full_like(confidence, UNKNOWN))
    return write_text(path, f"hiersegPixels({json.dumps(name)}, {json.dumps(pictures)});\n")


def _encode(labels: Values, confidence: Values) -> str:
    """A PNG as a ``data:`` URL: red is the train id, green the step of confidence."""
    blue = np.zeros_like(labels)
    encoded = cv2.imencode(".png", np.stack([blue, confidence, labels], axis=2))[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
