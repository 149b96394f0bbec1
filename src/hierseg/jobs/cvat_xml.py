"""Predictions in CVAT's own XML, "CVAT for images 1.1": a mask for each class of each image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from hierseg.errors import UserError
from hierseg.files import write_text
from hierseg.inference import Look, Prediction, count_runs, iterate_masks
from hierseg.labels import LabelSpace
from hierseg.media import choose_colors, find_background

DOCUMENT = "cvat.xml"
PIECE = "{}_cvat.xml"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_END = "</annotations>\n"


def write_cvat_xml(prediction: Prediction, out: Path, name: str, look: Look) -> list[Path]:
    """``NAME_cvat.xml``: CVAT's XML of the one image. Background has no mask, as in CVAT."""
    space = prediction.label_space
    content = f"{_begin(space)}{_describe_image(prediction)}{_END}"
    return [write_text(out / PIECE.format(name), content)]


def join_cvat_xml(paths: Sequence[Path], space: LabelSpace, out: Path) -> Path:
    """Write ``cvat.xml``, of the images' own files.

    Raises:
        UserError: One of them is damaged.
    """
    begin, images = _begin(space), []
    for number, path in enumerate(paths):
        try:
            text = path.read_text(encoding="utf-8")
        except ValueError as error:
            raise _damaged(path) from error
        own = text.removeprefix(begin).removesuffix(_END)
        if len(own) != len(text) - len(begin) - len(_END):
            raise _damaged(path)
        images.append(own.replace('<image id="0"', f'<image id="{number}"', 1))
    return write_text(out / DOCUMENT, f"{begin}{''.join(images)}{_END}")


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is damaged; run again with --overwrite.")


def _begin(space: LabelSpace) -> str:
    """A document up to its first image: CVAT's version of the form, and the labels."""
    colors, background = choose_colors(space), find_background(space)
    labels = [
        f"<label><name>{escape(make_xml_text(name))}</name><color>#{bytes(colors[train]).hex()}</color>"
        "<type>any</type><attributes></attributes></label>\n"
        for train, name in enumerate(space.names)
        if train not in background
    ]
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"<meta><task><labels>\n{''.join(labels)}</labels></task></meta>\n"
    )


def _describe_image(prediction: Prediction) -> str:
    space, (height, width) = prediction.label_space, prediction.labels.shape
    background = find_background(space)
    name = quoteattr(make_xml_text(Path(prediction.source).name))
    lines = [f'<image id="0" name={name} width="{width}" height="{height}">']
    for one in iterate_masks(prediction.labels, prediction.confidence, space.num_classes):
        if one.train_id in background:
            continue
        left, top, right, bottom = one.box
        runs = count_runs(one.mask[top:bottom, left:right].ravel()).tolist()
        lines.append(
            f'<mask label={quoteattr(make_xml_text(space.names[one.train_id]))} source="auto" '
            f'occluded="0" rle="{", ".join(map(str, runs))}" left="{left}" top="{top}" '
            f'width="{right - left}" height="{bottom - top}" z_order="0"></mask>'
        )
    return "".join(f"{line}\n" for line in [*lines, "</image>"])


def make_xml_text(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _NO_XML.sub("?", text)
