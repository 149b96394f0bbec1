"""Miniature Streets on disk, in Cityscapes' folder layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.files import write_bytes
from hierseg.size import Size
from hierseg.streets.clips import LabelledFrame, frame_paths, labelled_frame, write_clip
from hierseg.streets.rendering import draw_street_instances

GENERATOR = 1
"""Version of the drawings: it grows when the same seed no longer gives the same scene."""

TRAIN_CITIES = ("ahornfurt", "birkenmoor", "drosselhaven", "erlenwick", "finkenbrunn", "grauwinkel")
VAL_CITIES = ("kieselbruck", "lerchenmund", "mohnstadt")


@dataclass(frozen=True)
class Settings:
    """The settings that a folder of scenes was drawn with.

    Attributes:
        seed: Of the whole set.
        size: HEIGHTxWIDTH.
        count: Number of scenes.
        val_fraction: Share of them that is the val split.
        generator: Version of the drawings.
        clip: Frames of a clip; 0 for single scenes.
    """

    seed: int
    size: str
    count: int
    val_fraction: float
    generator: int = GENERATOR
    clip: int = 0

    def record(self) -> dict[str, Any]:
        """The settings as JSON; sets of single scenes have no key ``clip``."""
        return {name: value for name, value in asdict(self).items() if name != "clip" or value}

    def place(self, out: Path, index: int) -> tuple[Path, Path, Path]:
        """Where the image, the label map and the instance ids of a scene or labelled frame lie."""
        split, city = self.part(index)
        frame = labelled_frame(self.clip) if self.clip else 19
        stem = f"{city}_{index:06d}_{frame:06d}"
        image = out / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
        label = out / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
        return image, label, label.with_name(f"{stem}_gtFine_instanceIds.png")

    def files(self, out: Path, index: int) -> list[Path]:
        """All files of a scene or clip."""
        paths = list(self.place(out, index))
        for frame in range(self.clip):
            files = frame_paths(out, *self.part(index), index, frame)
            paths += [files.image, files.labels]
            paths += [files.before] if frame else []
            paths += [files.after] if frame + 1 < self.clip else []
        return paths

    def part(self, index: int) -> tuple[str, str]:
        """Split and city of a scene or clip."""
        validation = round(self.count * self.val_fraction)
        if self.count > 1 and 0 < self.val_fraction < 1:
            validation = min(max(validation, 1), self.count - 1)
        split = "val" if index >= self.count - validation else "train"
        cities = VAL_CITIES if split == "val" else TRAIN_CITIES
        return split, cities[index % len(cities)]


def write_scenes(
    out: Path, settings: Settings, indices: Iterable[int], report: Callable[[], None]
) -> None:
    """Draw and write scenes one after the other; ``report`` is called after each."""
    size = Size.parse(settings.size)
    for index in indices:
        seed = scene_seed(settings.seed, index)
        if settings.clip:
            place = (*settings.part(index), index)
            drawn = _write_frames(out, seed, size, settings.clip, place)
        else:
            drawn = LabelledFrame(*draw_street_instances(seed, size))
        image_path, label_path, instance_path = settings.place(out, index)
        _write_png(instance_path, drawn.instances)
        _write_png(label_path, drawn.labels)
        _write_png(image_path, np.ascontiguousarray(drawn.image[..., ::-1]))
        report()


def _write_frames(
    out: Path, seed: int, size: Size, frames: int, place: tuple[str, str, int]
) -> LabelledFrame:
    try:
        return write_clip(out, seed, size, frames, place, _write_png)
    except OSError as error:
        raise cannot_write(out, error) from error


def scene_seed(seed: int, index: int) -> int:
    """The seed for ``draw_street`` of a scene of a set; no two sets share one."""
    return (seed << 32) | index


def _write_png(path: Path, pixels: npt.NDArray[Any]) -> None:
    """Write (H, W) of 8 or 16 bits or (H, W, 3) BGR pixels."""
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, encoded.tobytes())
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """The UserError for a file or folder that cannot be written."""
    reason = error.strerror or str(error)
    return UserError(
        f"{path} cannot be written ({reason}); make room there or choose another --out."
    )
