"""Predictions as tasks of Label Studio: a brush for each class of each image.

A brush is the picture's pixels, four equal values of 0 or 255 each, packed as rle-pack does: how
many values there are (32 bits), the bits of a value less 1 (5), the bits of four kinds of lengths
less 1 (4 each); then for each run a bit that is set, the kind of its length (2), its length less 1,
and the value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from hierseg.errors import MALFORMED, UserError
from hierseg.files import write_text
from hierseg.inference import ClassMask, Look, Prediction, count_runs, iterate_masks
from hierseg.jobs.cvat_xml import make_xml_text
from hierseg.labels import LabelSpace
from hierseg.media import UnwritableError, choose_colors, find_background
from hierseg.version import __version__

TASKS = "labelstudio.json"
INTERFACE = "labelstudio.xml"
PIECE = "{}_labelstudio.json"
SERVED = "/data/local-files/?d="
"""Where Label Studio serves files of its machine; what follows is the image's name."""
VALUES = 4
"""Of a pixel: red, green, blue and alpha."""
BITS = 8
LENGTHS = (3, 4, 8, 16)
"""Bits of the kinds of lengths."""
_CONTROL, _IMAGE = "tag", "image"


def write_task(prediction: Prediction, out: Path, name: str, look: Look) -> list[Path]:
    """``NAME_labelstudio.json``: a list of one task. What is background has no brush.

    Raises:
        UnwritableError: The image has more pixels than a brush can.
    """
    path, (height, width) = out / PIECE.format(name), prediction.labels.shape
    if height * width * VALUES >= 2**32:
        raise UnwritableError(path, f"brushes of Label Studio cannot have {width}x{height} pixels")
    space = prediction.label_space
    background = find_background(space)
    brushes = [
        _describe_brush(one, space)
        for one in iterate_masks(prediction.labels, prediction.confidence, space.num_classes)
        if one.train_id not in background
    ]
    predicted = {"model_version": f"hierseg {__version__}", "result": brushes}
    image = SERVED + quote(Path(prediction.source).name, errors="replace")
    return [_write_tasks(path, [{"data": {_IMAGE: image}, "predictions": [predicted]}])]


def join_tasks(paths: Sequence[Path], space: LabelSpace, out: Path) -> None:
    """Write ``labelstudio.json``, of the images' own files, and ``labelstudio.xml``, the labelling
    interface of a project that takes them.

    Raises:
        UserError: One of the files is damaged.
    """
    tasks = []
    for path in paths:
        try:
            (task,) = json.loads(path.read_text(encoding="utf-8"))
            tasks.append({key: task[key] for key in ("data", "predictions")})
        except MALFORMED as error:
            raise UserError(f"{path} is damaged; run again with --overwrite.") from error
    _write_tasks(out / TASKS, tasks)
    write_text(out / INTERFACE, _describe_interface(space))


def _write_tasks(path: Path, tasks: Sequence[Any]) -> Path:
    """Without lines and indents, of which each byte of a brush would have its own."""
    return write_text(path, json.dumps(tasks, allow_nan=False) + "\n")


def _describe_brush(one: ClassMask, space: LabelSpace) -> dict[str, Any]:
    height, width = one.mask.shape
    brush: dict[str, Any] = {
        "id": f"class{one.train_id}",
        "type": "brushlabels",
        "from_name": _CONTROL,
        "to_name": _IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": encode_brush(one.mask),
            "brushlabels": [make_xml_text(space.names[one.train_id])],
        },
    }
    if not math.isnan(one.confidence):
        brush["score"] = round(one.confidence, 4)
    return brush


def encode_brush(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Bytes of an (H, W) mask as a brush has them."""
    runs = count_runs(mask.ravel()) * VALUES
    values = np.arange(len(runs)) % 2 * 255
    # A run is cut into parts of the greatest length and what is left of it.
    longest = 1 << LENGTHS[-1]
    parts = -(-runs // longest)
    lengths = np.full(parts.sum(), longest)
    lengths[np.cumsum(parts)[parts > 0] - 1] = (runs - (parts - 1) * longest)[parts > 0]
    values = np.repeat(values, parts)
    kinds = np.searchsorted(1 << np.array(LENGTHS), lengths)
    sizes = 1 + 2 + np.array(LENGTHS)[kinds] + BITS
    words = (4 + kinds) << (sizes - 3) | (lengths - 1) << BITS | values
    head = [(mask.size * VALUES, 32), (BITS - 1, 5), *((bits - 1, 4) for bits in LENGTHS)]
    words = np.concatenate([np.array([word for word, _ in head]), words])
    sizes = np.concatenate([np.array([size for _, size in head]), sizes])
    return _pack(words, sizes)


def _pack(words: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> list[int]:
    """Bytes of numbers of so many bits each, one after another, the highest bits first."""
    starts = np.cumsum(sizes) - sizes
    bits = np.zeros(int(sizes.sum()), np.uint8)
    for place in range(int(sizes.max())):
        has = sizes > place
        bits[starts[has] + place] = words[has] >> (sizes[has] - 1 - place) & 1
    return np.packbits(bits).tolist()


def _describe_interface(space: LabelSpace) -> str:
    colors, background = choose_colors(space), find_background(space)
    lines = ["<View>", f'  <Image name="{_IMAGE}" value="${_IMAGE}"/>']
    lines.append(f'  <BrushLabels name="{_CONTROL}" toName="{_IMAGE}">')
    for train, name in enumerate(space.names):
        if train not in background:
            value, color = quoteattr(make_xml_text(name)), bytes(colors[train]).hex()
            lines.append(f'    <Label value={value} background="#{color}"/>')
    return "".join(f"{line}\n" for line in [*lines, "  </BrushLabels>", "</View>"])
