"""A set of Miniature Streets in a folder: begun, continued, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hierseg.errors import MALFORMED, UsageError, UserError, shorten
from hierseg.files import LOCK, FolderLock, read_text_file, remove_leftovers, write_bytes
from hierseg.size import Size
from hierseg.streets.clips import SEQUENCE_FOLDERS
from hierseg.streets.rendering import check_scene_size
from hierseg.streets.workers import write_in_parallel
from hierseg.streets.writing import Settings, cannot_write, write_scenes

_RECORD = "streets.json"
_LONGEST = 120  # frames until the camera leaves the street
_FOLDERS = ("leftImg8bit", "gtFine", *SEQUENCE_FOLDERS)
_PARALLEL_FROM = 48 * 256 * 512  # pixels of work from which a second process is worth its start


def write_streets(
    out: Path,
    count: int,
    size: Size,
    seed: int,
    val_fraction: float = 0.2,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
    clip: int | None = None,
) -> None:
    """Write a set of street scenes in Cityscapes' layout (METHOD section 6).

    Scenes of different seeds are different. Every file appears whole or not at all, an image after
    its label map, so an interrupted run leaves a valid set, and the same call completes it.

    Args:
        out: Folder; new, empty, or begun with the same settings.
        count: Number of scenes, or of clips.
        size: Of every image.
        seed: Of the whole set, at least 0.
        val_fraction: Share of the scenes that go to the val split, 0 to 1; the rest is train.
        workers: Processes that draw; None for two, or one for small sets.
        on_progress: Called with (scenes done, count) after each scene.
        overwrite: Draw into a folder that holds something else: files under the names of scenes are
            replaced, and the scenes of a set of other settings are removed.
        clip: Number of frames of a clip, to draw clips instead of single scenes; see clips.py.

    Raises:
        UsageError: A number is out of range.
        UserError: The folder holds something else, cannot be written, or another run writes there.
    """
    check_scene_size(size)
    _check(count, seed, val_fraction)
    if clip is not None and not 1 <= clip <= _LONGEST:
        raise UsageError(f"--clip must be between 1 and {_LONGEST} frames, not {clip}.")
    settings = Settings(seed, str(size), count, val_fraction, clip=clip or 0)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is not a folder; give --out an empty or new folder.")
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
    missing = [i for i in range(count) if not all(path.exists() for path in settings.files(out, i))]
    done = count - len(missing)

    def report() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, count)

    if on_progress is not None:
        on_progress(done, count)
    if workers is None:
        pixels = len(missing) * size.height * size.width * max(settings.clip, 1)
        workers = 2 if pixels >= _PARALLEL_FROM else 1
    if workers > 1 and len(missing) > 1:
        write_in_parallel(out, settings, missing, workers, report)
    else:
        write_scenes(out, settings, missing, report)


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
        remove_leftovers(out)
        if overwrite:
            _clear(out, settings)
        elif record.is_file():
            _compare(out, _read(record), settings.record())
            return
        elif any(path.name != LOCK for path in out.iterdir()):
            raise UserError(
                f"{out} holds files that are not Miniature Streets; give --out an empty folder, "
                "or add --overwrite."
            )
        write_bytes(record, (json.dumps(settings.record(), indent=2) + "\n").encode())
    except OSError as error:
        raise cannot_write(out, error) from error


def _clear(out: Path, settings: Settings) -> None:
    """Remove the scenes that are to be drawn, and those of the set that was there."""
    sets = [settings]
    with suppress(UserError, TypeError):
        if (out / _RECORD).is_file():
            sets.append(Settings(**_read(out / _RECORD)))
    for path in [path for folder in _FOLDERS for path in (out / folder).glob("*/*/*.*")]:
        index = path.name.split("_")[1:2]
        if index and index[0].isdecimal():
            with suppress(TypeError, ValueError, ArithmeticError):  # a record by somebody else
                if any(path in one.files(out, int(index[0])) for one in sets):
                    path.unlink()


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
        f"{name} {shorten(value)} (not given)"
        for name, value in there.items()
        if name == "clip" and name not in asked
    ]
    different += [
        f"{name} {shorten(there.get(name))} (not {asked[name]})"
        for name in asked
        if there.get(name) != asked[name]
    ]
    if different:
        raise UserError(
            f"{out} was drawn with {', '.join(different)}; use the same settings or another --out."
        )
