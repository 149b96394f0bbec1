"""What label maps hold: ids or colours, how many pixels of each, in which files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hierseg.data.archive import open_dataset_file
from hierseg.data.checking.headers import describe_mismatch, read_image_header
from hierseg.data.label_numbers import Palette, PaletteError
from hierseg.data.opening import open_header
from hierseg.data.reading import DataError, read_label_colors, read_label_ids
from hierseg.data.recognition.listing import Entry
from hierseg.errors import UserError
from hierseg.labels import Color
from hierseg.size import Size

Encoding = Literal["ids", "colors"]
SOLID = 3
"""Pixels of a run along a row from which on it is a region, not a blurred border."""
SOLID_SHARE = 0.3
FEWEST_BLURRED = 4
MOST_IN_JPEG = 8
"""Values of a JPEG that was not blurred by being one."""
_COLORED = ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA", "La", "RGBa")
Progress = Callable[[int, int], None]


@dataclass
class Survey:
    """What the label maps of a folder hold.

    Attributes:
        encoding: Whether values are ids, or colours as red * 65536 + green * 256 + blue.
        palette: How label maps with a palette of greys were read; None where none has one.
        colors: Id -> colour, where label maps have a palette of colours.
        pixels: Value -> its pixels in all label maps.
        solid: Value -> those of its pixels that lie in runs along a row.
        present: Label map -> the values in it.
        sizes: Size -> label maps.
    """

    encoding: Encoding
    palette: Palette | None = None
    colors: dict[int, Color] = field(default_factory=dict)
    pixels: Counter[int] = field(default_factory=Counter)
    solid: Counter[int] = field(default_factory=Counter)
    present: dict[Path, frozenset[int]] = field(default_factory=dict)
    sizes: Counter[Size] = field(default_factory=Counter)


def survey_labels(
    entries: Sequence[Entry],
    encoding: Encoding | None = None,
    on_progress: Progress | None = None,
) -> Survey:
    """Read all label maps.

    Args:
        entries: Images with label maps.
        encoding: What they hold, where that is known; None finds it out.
        on_progress: Called with (label maps read, label maps in all).

    Raises:
        UserError: One cannot be read, has another size than its image, or is blurred.
    """
    if encoding is None:
        colored = any(_read_mode(_label(entry)) in _COLORED for entry in entries)
        encoding = "colors" if colored else "ids"
    survey = Survey(encoding)
    try:
        _read_all(survey, entries, on_progress)
    except DataError as error:
        if not isinstance(error.__cause__, PaletteError):
            raise
        # Greys mean the same in every file; places in a palette need not.
        survey = Survey(encoding, "values")
        _read_all(survey, entries, on_progress)
    _require_sharp(survey, entries)
    if encoding == "ids" and survey.palette is None:
        survey.colors = _read_palette(_label(entries[0]))
    return survey


def unpack(value: int) -> Color:
    """The colour that a value of a survey of colours stands for."""
    return value >> 16, value >> 8 & 255, value & 255


def _label(entry: Entry) -> Path:
    assert entry.label is not None
    return entry.label


def _read_all(survey: Survey, entries: Sequence[Entry], on_progress: Progress | None) -> None:
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda entry: _read_one(entry, survey), entries)
        try:
            for done, (entry, one) in enumerate(zip(entries, found, strict=True), start=1):
                size, values, pixels, solid = one
                survey.sizes[size] += 1
                survey.present[_label(entry)] = frozenset(values)
                survey.pixels.update(dict(zip(values, pixels, strict=True)))
                survey.solid.update(dict(zip(values, solid, strict=True)))
                if on_progress is not None:
                    on_progress(done, len(entries))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read_one(entry: Entry, survey: Survey) -> tuple[Size, list[int], list[int], list[int]]:
    label = _label(entry)
    if survey.encoding == "colors":
        rgb = read_label_colors(label).astype(np.int64)
        values = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
    else:
        values = read_label_ids(label, palette=survey.palette).astype(np.int64)
    size = Size(*values.shape)
    header = read_image_header(entry.image)
    if header.size != size:
        cure = describe_mismatch(entry.image, header, label, size).removesuffix(".")
        raise UserError(
            f"{cure}: export the masks at the images' size, or resize them by nearest neighbour."
        )
    return size, *_count_runs(values)


def _count_runs(values: npt.NDArray[Any]) -> tuple[list[int], list[int], list[int]]:
    """Values, their pixels, and those of their pixels that lie in runs along a row."""
    differs = np.ones(values.shape, np.bool_)
    differs[:, 1:] = values[:, 1:] != values[:, :-1]
    starts = np.flatnonzero(differs)
    lengths = np.diff(starts, append=values.size)
    found, place = np.unique(values.ravel()[starts], return_inverse=True)
    pixels = np.bincount(place, lengths).astype(np.int64)
    solid = np.bincount(place, lengths * (lengths >= SOLID)).astype(np.int64)
    return found.tolist(), pixels.tolist(), solid.tolist()


def _require_sharp(survey: Survey, entries: Sequence[Entry]) -> None:
    """UserError for label maps whose values were mixed at the borders of regions."""
    blurred = [v for v, n in survey.pixels.items() if survey.solid[v] < SOLID_SHARE * n]
    jpegs = [
        path
        for path in map(_label, entries)
        if path.suffix.lower() in (".jpg", ".jpeg", ".webp") and survey.present[path]
    ]
    number = len(survey.pixels)
    kind = "values" if survey.encoding == "ids" else "colours"
    if jpegs and number > MOST_IN_JPEG:
        raise UserError(
            f"'{jpegs[0]}' is compressed with loss, which blurs ids (the masks hold {number:,} "
            f"{kind}); export masks as PNG."
        )
    if len(blurred) >= FEWEST_BLURRED and 2 * len(blurred) > number:
        fullest = max(entries, key=lambda entry: len(survey.present[_label(entry)]))
        raise UserError(
            f"the masks hold {number:,} {kind}, most of them in thin lines (most in "
            f"'{_label(fullest)}'), as masks do that were smoothed or resized; export them again "
            "without smoothing, as PNG, or resize by nearest neighbour."
        )


def _read_mode(path: Path) -> str:
    try:
        with open_dataset_file(path) as file, open_header(file, path) as picture:
            return picture.mode
    except Exception:  # whatever damage leads to; reading it says what
        return ""


def _read_palette(path: Path) -> dict[int, Color]:
    """The colours of a label map's palette, by place; none where it has none, or of greys."""
    with open_dataset_file(path) as file, open_header(file, path) as picture:
        parts = picture.getpalette("RGB") if picture.mode == "P" else None
    if not parts:
        return {}
    colors = list(zip(parts[::3], parts[1::3], parts[2::3], strict=False))
    if all(red == green == blue for red, green, blue in colors):
        return {}
    return dict(enumerate(colors))
