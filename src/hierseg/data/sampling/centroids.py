"""The index of a split's centroids, which class-uniform sampling draws from (METHOD section 6).

Making it reads every label map and the header of every image, which checks sizes, ids, and whether
files are complete. The index is cached under a key of everything that it depends on. If making it
is interrupted, the next call completes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hierseg.data.archive import get_status
from hierseg.data.base import SegmentationDataset
from hierseg.data.checking.headers import check_pair
from hierseg.data.parallel import Progress, map_in_order
from hierseg.data.reading import DataError
from hierseg.data.sampling.tiles import Int32Array, find_centroids
from hierseg.errors import UserError
from hierseg.files import remove_leftovers, replacing
from hierseg.size import Size

FORMAT_VERSION = 2
CACHE_VARIABLE = "HIERSEG_CACHE"


def find_cache() -> Path:
    """``$HIERSEG_CACHE``, else ``hierseg`` in the user's cache; UserError where there is
    no home folder, as in some containers.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    user = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(user) if user else Path.home() / ".cache") / "hierseg"
    except RuntimeError as error:
        raise UserError(
            "there is no home folder to keep the index of label maps in; name a folder with "
            f"{CACHE_VARIABLE}."
        ) from error


def index_centroids(
    dataset: SegmentationDataset,
    tile: int,
    workers: int = 0,
    on_progress: Progress | None = None,
    cache: Path | None = None,
) -> Int32Array:
    """All centroids of a split; while they are computed, its pairs are checked for training.

    Args:
        dataset: Every sample has a label map.
        tile: Side of the tiles that a label map is cut into.
        workers: Processes that read; their number changes nothing.
        on_progress: Called with (label maps done, label maps in all).
        cache: Folder for finished indices; ``find_cache()`` where none is given.

    Returns:
        (N, 4) int32: index of the sample, train id, row, column; by sample, then by tile.

    Raises:
        DataError: A file is unreadable, an id belongs to no class, or image and label map differ in
            size; the message names the file.
    """
    folder = (find_cache() if cache is None else cache) / "centroids"
    stored = _Stored(folder / f"{make_key(dataset, tile)}.npz")
    done, parts = stored.read(len(dataset))
    if done == len(dataset):
        return parts[0]
    total = len(dataset)
    work = map_in_order(
        _Finder(dataset, tile),
        range(done, total),
        workers,
        None if on_progress is None else lambda count, _: on_progress(done + count, total),
    )
    finished = done
    try:
        with contextlib.closing(work):
            for found in work:
                numbers = np.full((len(found), 1), finished, np.int32)
                parts.append(np.concatenate([numbers, found], axis=1))
                finished += 1
    finally:
        # Also when interrupted: the next call goes on from there.
        entries = np.concatenate(parts)
        if finished > done:
            stored.write(finished, entries)
    return entries


def make_key(dataset: SegmentationDataset, tile: int) -> str:
    """A digest of what an index depends on: files with sizes and times, ids, rule, tile, format."""
    space = dataset.label_space
    digest = hashlib.sha256()
    table = [
        space.raw_ids,
        sorted(space.ignored_raw_ids),
        sorted(space.merged_raw_ids.items()),
        space.ignore,
    ]
    rules = [dataset.label_rule, dataset.palette]
    digest.update(json.dumps([FORMAT_VERSION, tile, table, rules]).encode())
    for index in range(len(dataset)):
        for path in dataset.list_files(index):
            try:
                size, modified = get_status(path)
            except OSError as error:
                raise DataError(f"'{path}' cannot be read ({error.strerror}).") from error
            digest.update(
                f"\0{path.absolute()}\0{size}\0{modified}".encode(errors="surrogateescape")
            )
        digest.update(b"\n")
    return digest.hexdigest()[:40]


@dataclass(frozen=True)
class _Finder:
    """What a worker does for one sample."""

    dataset: SegmentationDataset
    tile: int

    def __call__(self, index: int) -> Int32Array:
        sample = self.dataset.samples[index]
        labels = self.dataset.read_labels(index)
        if labels is None:
            raise UserError(f"'{sample.image}' has no label map; leave it out of the split.")
        if self.dataset.has_files:
            check_pair(sample.image, sample.label, Size(*labels.shape))
        return find_centroids(labels, self.tile, self.dataset.label_space.ignore)


@dataclass(frozen=True)
class _Stored:
    """An index in a file, of all samples or of the first so many."""

    path: Path

    def read(self, samples: int) -> tuple[int, list[Int32Array]]:
        """Number of samples done, and their entries in a list; 0 and no entries if the file is
        missing or was not written by ``write``, so that it is made again.
        """
        try:
            with np.load(self.path, allow_pickle=False) as content:
                done, entries = int(content["done"]), content["entries"]
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
            return 0, [np.zeros((0, 4), np.int32)]
        is_sound = entries.dtype == np.int32 and entries.shape[1:] == (4,) and done <= samples
        return (done, [entries]) if is_sound else (0, [np.zeros((0, 4), np.int32)])

    def write(self, done: int, entries: Int32Array) -> None:
        """Atomically. A cache that cannot be written costs time at the next run, and no more."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.path)
            with replacing(self.path) as part, part.open("wb") as file:
                np.savez(file, done=done, entries=entries)
        except OSError as error:
            warnings.warn(
                f"the index of label maps is not kept, as {self.path.parent} cannot be written "
                f"({error.strerror}); name another folder with {CACHE_VARIABLE}.",
                stacklevel=3,
            )
