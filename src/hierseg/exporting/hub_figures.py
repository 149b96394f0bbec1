"""The measured figures of a model card, from a training record or a file of `hierseg evaluate`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hierseg.errors import UserError
from hierseg.files import read_text_file

OTHER_THAN_USUAL = "not the standard split"


@dataclass(frozen=True)
class Figures:
    """The measured figures of a model on a split.

    Attributes:
        data: Name of the data set.
        split: The split.
        miou: Mean IoU over the classes that occur, in [0, 1].
        pixel_accuracy: Share of pixels whose label is right, in [0, 1]; None if it is unknown.
        per_class: Class -> IoU in [0, 1], None for a class that does not occur; empty if unknown.
        scales: Scales that the images were run at; empty if unknown.
        flip: Whether outputs were averaged with those of the mirrored images.
        images: Number of images counted; None if it is unknown.
        note: How the split differs from the standard one of that name; empty if it does not.
    """

    data: str
    split: str
    miou: float
    pixel_accuracy: float | None = None
    per_class: Mapping[str, float | None] = field(default_factory=dict)
    scales: tuple[float, ...] = ()
    flip: bool = False
    images: int | None = None
    note: str = ""

    def describe(self) -> str:
        """How the figures were measured, such as "val of camvid, 101 images, at scales 0.5 1"."""
        words = [f"{self.split} of {self.data}"]
        if self.images is not None:
            words.append(f"{self.images} images")
        if self.scales:
            shown = " ".join(f"{scale:g}" for scale in self.scales)
            words.append(f"at scales {shown}{' and mirrored' if self.flip else ''}")
        return ", ".join([*words, *([self.note] if self.note else [])])


def find_figures(record: Mapping[str, Any]) -> Figures | None:
    """The figures of a training record; None if it holds none, or invalid ones."""
    try:
        return _read(record)
    except (KeyError, TypeError, ValueError):
        return None


def read_figures(path: Path) -> Figures:
    """The figures of a file that `hierseg evaluate --json` or `hierseg finetune` wrote.

    Raises:
        UserError: The file cannot be read, or holds no figures.
    """
    text = read_text_file(path, "file of figures")
    try:
        content = json.loads(text)
        if content["command"] not in ("evaluate", "finetune"):
            raise ValueError("of another command")
        return _read(content["result"] if content["command"] == "finetune" else content)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"'{path}' holds no figures; give a file that `hierseg evaluate --json` wrote."
        ) from error


def _read(content: Mapping[str, Any]) -> Figures:
    per_class = content.get("per_class") or {}
    standard = content.get("standard_split", True) is True
    accuracy = content.get("pixel_accuracy")
    images = content.get("images")
    return Figures(
        data=_word(content["data"]),
        split=_word(content["split"]),
        miou=_share(content["miou"]),
        pixel_accuracy=None if accuracy is None else _share(accuracy),
        per_class={
            _word(name): None if iou is None else _share(iou) for name, iou in per_class.items()
        },
        scales=tuple(_number(scale) for scale in content.get("scales") or ()),
        flip=content.get("flip") is True,
        images=None if images is None else int(_number(images)),
        note="" if standard else _word(content.get("split_note") or OTHER_THAN_USUAL),
    )


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no word")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError("no share")
    return number
