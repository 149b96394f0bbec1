"""What is known of one image that was segmented: what pages show and folder runs write down."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hierseg.ownership import is_inside

LARGEST_NUMBER = 1 << 63
"""Beyond any size, time or count; Python holds larger ones, but cannot compute with all."""


@dataclass(frozen=True)
class Panel:
    """A picture on the page.

    Attributes:
        kind: image, overlay, truth, scale, attention, confidence or errors; or pixels, the script
            of class and confidence, which is no picture.
        caption: What stands above it.
        file: Its path, relative to the page's folder.
    """

    kind: str
    caption: str
    file: str


@dataclass(frozen=True)
class ImageRecord:
    """One image that was segmented.

    Attributes:
        source: Absolute path of the image.
        bytes, modified: Its size and time of change (ns), by which a changed image is noticed.
        name: What its outputs' names begin with.
        height, width: Of the upright image.
        confidence: Mean confidence; None where it is not known.
        shares: Class name -> share of the pixels, the largest first.
        seconds: Time in the network.
        files: All outputs, relative to the outputs' folder.
        panels: The pictures on the page.
        facts: Further short statements that the page shows.
        unwritten: Outputs that their formats do not hold, by their names in ``WRITERS``, and why.
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
        """The inverse of ``to_dict``; LookupError, TypeError or ValueError for what is
        none.
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
        os.fsencode(record.source)  # ValueError for what is no path
        return record

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {**vars(self), "panels": [vars(panel) for panel in self.panels]}
