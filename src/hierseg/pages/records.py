"""The record of one segmented image, which pages show and folder runs save."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hierseg.ownership import is_inside

LARGEST_NUMBER = 1 << 63
"""Numbers of a record must be smaller; Python reads larger ones, but they can overflow later."""


@dataclass(frozen=True)
class Panel:
    """A picture on the page.

    Attributes:
        kind: image, overlay, truth, scale, attention, confidence or errors; or pixels, which is
            not a picture but the script of classes and confidences.
        caption: Caption above the picture.
        file: Path of the file, relative to the page's folder.
    """

    kind: str
    caption: str
    file: str


@dataclass(frozen=True)
class ImageRecord:
    """One image that was segmented.

    Attributes:
        source: Absolute path, or URL, of the image.
        bytes, modified: Size and time of change (in ns) of its file, to notice a changed image.
        name: Common beginning of its outputs' names.
        height, width: Size of the upright image in pixels.
        confidence: Mean confidence in [0, 1]; None if it is not known.
        shares: Class name -> share of the pixels in [0, 1], largest first.
        seconds: Time in the network.
        files: All its outputs, relative to the outputs' folder.
        panels: Its pictures on the page.
        facts: Further short texts that the page shows.
        unwritten: Output, by its name in ``WRITERS``, -> why its format cannot hold it.
    """

    source: str
    bytes: int
    modified: int
    name: str
    height: int
    width: int
    confidence: float | None
    shares: dict[str, float]
    seconds: float
    files: list[str]
    panels: list[Panel]
    facts: list[str] = field(default_factory=list)
    unwritten: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ImageRecord:
        """The inverse of ``to_dict``; LookupError, TypeError or ValueError if ``data`` is not a
        valid record.
        """
        record = cls(**{**data, "panels": [Panel(**panel) for panel in data["panels"]]})
        for parts, kind in (
            (record.files, list), (record.facts, list), (record.shares, dict),
            (record.unwritten, dict),
        ):  # fmt: skip
            if not isinstance(parts, kind):
                raise TypeError("not a list")
        texts = [record.source, record.name, *record.files, *record.facts, *record.shares]
        texts += [text for panel in record.panels for text in dataclasses.astuple(panel)]
        texts += [*record.unwritten, *record.unwritten.values()]
        numbers = [record.bytes, record.modified, record.height, record.width, record.seconds]
        numbers += [*record.shares.values()]
        numbers += [] if record.confidence is None else [record.confidence]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("not text")
        if not all(
            isinstance(number, int | float) and abs(number) < LARGEST_NUMBER for number in numbers
        ):
            raise TypeError("not a number")
        paths = [record.name, *record.files, *(panel.file for panel in record.panels)]
        if "\0" in record.source or not all(map(is_inside, paths)):
            raise ValueError("a place outside of the outputs")
        os.fsencode(record.source)  # ValueError if it cannot be a path
        return record

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON holds them."""
        return {**vars(self), "panels": [vars(panel) for panel in self.panels]}
