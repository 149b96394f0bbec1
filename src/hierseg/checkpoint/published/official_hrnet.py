"""The HRNet authors' own releases: with OCR, without, and of ImageNet.

Their names lack the ``backbone`` and ``ocr`` of the original's, and OCR's batch norms are one level
higher.
"""

from __future__ import annotations

from hierseg.checkpoint.published.hrnet_ocr import HEAD_ROWS, TRUNK_ROWS
from hierseg.checkpoint.published.key_table import KeyTable

_TRUNK = tuple((published.removeprefix("backbone."), own) for published, own in TRUNK_ROWS)

# These two layers are sequences of convolution, norm, ReLU, convolution.
_DIFFERENT = {
    "head.pixels.conv": "conv3x3_ocr.0",
    "head.pixels.norm": "conv3x3_ocr.1",
    "head.auxiliary.0.conv": "aux_head.0",
    "head.auxiliary.0.norm": "aux_head.1",
    "head.auxiliary.1": "aux_head.3",
}
_HEAD = tuple(
    (_DIFFERENT.get(own, published.removeprefix("ocr.")), own) for published, own in HEAD_ROWS
)
_PLAIN = (
    ("last_layer.0", "head.mix.conv"),
    ("last_layer.1", "head.mix.norm"),
    ("last_layer.3", "head.classify"),
)

OFFICIAL_HRNET_OCR = KeyTable(_TRUNK + _HEAD)
OFFICIAL_HRNET = KeyTable(_TRUNK + _PLAIN)
HRNET_IMAGENET = KeyTable(_TRUNK)
"""The trunk of an ImageNet classifier; the classification layers have no row."""
