"""What a folder was found to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hierseg.data.recognition.listing import Entry
from hierseg.data.recognition.shapes import Shape


@dataclass(frozen=True)
class Layout:
    """What a folder was found to be.

    Attributes:
        title: Its layout in words.
        entries: Images with their label maps.
        notes: Sentences about what is left out.
        shapes: Image -> regions to draw as its label map, where it has none of its own.
        names: Label of a drawn map -> class name; only with ``shapes``.
    """

    title: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    shapes: Mapping[Path, Sequence[Shape]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
