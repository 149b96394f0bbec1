"""Sizes of images, height before width everywhere."""

from __future__ import annotations

import re
from typing import NamedTuple

from hierseg.errors import UsageError

SMALLEST_SIDE = 32
"""Pixels of the shorter side that a network takes."""


class Size(NamedTuple):
    """Height and width in pixels; ``str(size)`` is ``HEIGHTxWIDTH`` and ``Size.parse`` reads it."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read ``"256x512"`` as height 256 and width 512; raises UsageError for anything else."""
        match = re.fullmatch(r"\s*([1-9]\d*)\s*[xX]\s*([1-9]\d*)\s*", text)
        if match is None:
            raise UsageError(f"'{text}' is not a size; write HEIGHTxWIDTH, for example 256x512.")
        return cls(int(match[1]), int(match[2]))
