"""Miniature Streets on disk, in Cityscapes' folder layout."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data.streets.rendering import check_size, draw_street_instances
from hierseg.errors import MALFORMED, UsageError, UserError, shorten
from hierseg.files import LOCK, FolderLock, read_text_file
from hierseg.size import Size

GENERATOR = 1
"""Version of the drawings: it grows when the same seed no longer gives the same scene."""

TRAIN_CITIES = ("ahornfurt", "birkenmoor", "drosselhaven", "erlenwick", "finkenbrunn", "grauwinkel")
VAL_CITIES = ("kieselbruck", "lerchenmund", "mohnstadt")

_RECORD = "streets.json"
_FOLDERS = ("leftImg8bit", "gtFine")
_PARALLEL_FROM = 48 * 256 * 512  # pixels of work from which a second process is worth its start


@dataclass(frozen=True)
class Settings:
    """What a folder of scenes was drawn by.

    Attributes:
        seed: Of the whole set.
        size: HEIGHTxWIDTH.
        count: Number of scenes.
        val_fraction: Share of them that is the val split.
        generator: Version of the drawings.
    """

    seed: int
    size: str
    count: int
    val_fraction: float
    generator: int = GENERATOR

    def place(self, out: Path, index: int) -> tuple[Path, Path, Path]:
        """Where the image, the label map and the instance ids of a scene lie."""
        validation = round(self.count * self.val_fraction)
        if self.count > 1 and 0 < self.val_fraction < 1:
            validation = min(max(validation, 1), self.count - 1)
        split = "val" if index >= self.count - validation else "train"
        cities = VAL_CITIES if split == "val" else TRAIN_CITIES
        city = cities[index % len(cities)]
        stem = f"{city}_{index:06d}_000019"
        image = out / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
        label = out / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
        return image, label, label.with_name(f"{stem}_gtFine_instanceIds.png")


def write_streets(
    out: Path,
    count: int,
    size: Size,
    seed: int,
    val_fraction: float = 0.2,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a set of street scenes in Cityscapes' layout (METHOD section 6).

    Scenes of different seeds are different. Every file appears whole or not at all, an image after
    its label map, so an interrupted run leaves a valid set, and the same call completes it.

    Args:
        out: Folder; new, empty, or begun with the same settings.
        count: Number of scenes.
        size: Of every image.
        seed: Of the whole set, at least 0.
        val_fraction: Share of the scenes that go to the val split, 0 to 1; the rest is train.
        workers: Processes that draw; None: two where there is enough to do.
        on_progress: Called with (scenes done, count) as they are done.
        overwrite: Draw all of it anew into a folder that holds something else: what is there under
            the names of scenes is replaced, and a set of other settings removed.

    Raises:
        UsageError: A number that cannot be.
        UserError: The folder holds something else, cannot be written, or another run writes there.
    """
    check_size(size)
    _check(count, seed, val_fraction)
    settings = Settings(seed, str(size), count, val_fraction)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is no folder, so something else; give --out an empty folder.")
    with ExitStack() as stack:
        try:
            stack.enter_context(FolderLock(out))
        except OSError as error:
            raise cannot_write(out, error) from error
        _write_set(out, settings, workers, on_progress, overwrite)


def _write_set(
    out: Path,
    settings: Settings,
    workers: int | None,
    on_progress: Callable[[int, int], None] | None,
    overwrite: bool,
) -> None:
    """Draw what is missing of a set, into a folder that is held."""
    count, size = settings.count, Size.parse(settings.size)
    _claim(out, settings, overwrite)
    missing = [i for i in range(count) if not all(path.exists() for path in settings.place(out, i))]
    done = count - len(missing)

    def report() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, count)

    if on_progress is not None:
        on_progress(done, count)
    if workers is None:
        workers = 2 if len(missing) * size.height * size.width >= _PARALLEL_FROM else 1
    if workers > 1 and len(missing) > 1:
        from hierseg.data.streets.workers import write_in_parallel

        write_in_parallel(out, settings, missing, workers, report)
    else:
        write_scenes(out, settings, missing, report)


def write_scenes(
    out: Path, settings: Settings, indices: Iterable[int], report: Callable[[], None]
) -> None:
    """Draw and write scenes one after the other; ``report`` is called after each."""
    size = Size.parse(settings.size)
    for index in indices:
        image, labels, instances = draw_street_instances(scene_seed(settings.seed, index), size)
        image_path, label_path, instance_path = settings.place(out, index)
        _write_png(instance_path, instances)
        _write_png(label_path, labels)
        _write_png(image_path, np.ascontiguousarray(image[..., ::-1]))
        report()


def scene_seed(seed: int, index: int) -> int:
    """The seed for ``draw_street`` of a scene of a set; no two sets share one."""
    return (seed << 32) | index


def _check(count: int, seed: int, val_fraction: float) -> None:
    if count < 1:
        raise UsageError(f"--count must be at least 1, not {count}.")
    if count >= 1 << 32:
        raise UsageError(f"--count must be below {1 << 32}, not {count}.")
    if seed < 0:
        raise UsageError(f"--seed must not be negative, as {seed} is.")
    if not 0 <= val_fraction <= 1:
        raise UsageError(f"--val-fraction must lie between 0 and 1, not {val_fraction}.")


def _claim(out: Path, settings: Settings, overwrite: bool) -> None:
    """Make the folder these settings', or refuse it."""
    record = out / _RECORD
    try:
        _remove_leftovers(out)
        if overwrite:
            _clear(out, settings)
        elif record.is_file():
            _compare(out, _read(record), asdict(settings))
            return
        elif any(path.name != LOCK for path in out.iterdir()):
            raise UserError(
                f"{out} holds something else than Miniature Streets; give --out an empty folder, "
                "or add --overwrite."
            )
        _replace(record, (json.dumps(asdict(settings), indent=2) + "\n").encode())
    except OSError as error:
        raise cannot_write(out, error) from error


def _clear(out: Path, settings: Settings) -> None:
    """Remove the scenes that are to be drawn, and those of the set that was there."""
    sets = [settings]
    with suppress(UserError, TypeError):
        if (out / _RECORD).is_file():
            sets.append(Settings(**_read(out / _RECORD)))
    for path in [path for folder in _FOLDERS for path in (out / folder).glob("*/*/*.png")]:
        index = path.name.split("_")[1:2]
        if index and index[0].isdecimal():
            with suppress(TypeError, ValueError, ArithmeticError):  # a record by somebody else
                if any(path in one.place(out, int(index[0])) for one in sets):
                    path.unlink()


def _remove_leftovers(out: Path) -> None:
    """Remove what a run was writing when it was killed."""
    for folder in _FOLDERS:
        for path in (out / folder).glob("*/*/.*.png.*.tmp"):
            path.unlink(missing_ok=True)


def _read(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text_file(record, "record"))
    except MALFORMED:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{record} is not readable; remove its folder or choose another --out.")
    return content


def _compare(out: Path, there: dict[str, Any], asked: dict[str, Any]) -> None:
    different = [
        f"{name} {shorten(there.get(name))} (not {asked[name]})"
        for name in asked
        if there.get(name) != asked[name]
    ]
    if different:
        raise UserError(
            f"{out} was drawn with {', '.join(different)}; use the same settings or another --out."
        )


def _write_png(path: Path, pixels: npt.NDArray[Any]) -> None:
    """Write (H, W) of 8 or 16 bits or (H, W, 3) BGR pixels."""
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, encoded.tobytes())
    except OSError as error:
        raise cannot_write(path, error) from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> UserError:
    """The error for the user where a file or folder cannot be written."""
    reason = error.strerror or str(error)
    return UserError(
        f"{path} cannot be written ({reason}); make room there or choose another --out."
    )
