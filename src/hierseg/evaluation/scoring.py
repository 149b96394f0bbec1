"""Counts label maps, whoever made them, against a labelled split."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.data import Record, SegmentationDataset
from hierseg.errors import UserError
from hierseg.inference import Segmentation
from hierseg.metrics import ConfusionMatrix
from hierseg.processes import count_processes, own_rank, sum_over_processes

READ_AHEAD = 2
"""Images that are read while the network runs."""

Labels = npt.NDArray[np.uint8]
Asked = TypeVar("Asked")
Read = TypeVar("Read")


class Watcher(Protocol):
    """Looks at each image as it is scored."""

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Take sample ``index``, as read, and its (H, W) train ids, of its labels' size."""


@runtime_checkable
class LogitWatcher(Watcher, Protocol):
    """Also looks at the logits of each image."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """Take sample ``index``, as read, and its (K, H, W) logits at its labels' size."""


@runtime_checkable
class DetailWatcher(Watcher, Protocol):
    """Also looks at confidence, and at attention and labels of each scale, of the images that it
    wants; these take memory and time.

    Attributes:
        can_miss: Whether it may miss an image for which memory does not suffice.
    """

    can_miss: bool

    def wants(self, index: int) -> bool:
        """Whether it looks at sample ``index``."""

    def look_at_details(self, index: int, record: Record, details: Segmentation) -> None:
        """Take sample ``index``, as read, and its maps at its labels' size."""


class PortableWatcher(Watcher, Protocol):
    """A watcher whose copies look at images in other processes. It takes over what they have seen,
    in any order, as if it had looked at the images itself.
    """

    def copy_for_worker(self) -> Watcher | None:
        """A picklable copy that has seen nothing yet: a ``Noting`` if it has something to bring
        back, None if there is nothing to look at.
        """

    def expect(self, index: int) -> None:
        """Sample ``index`` is about to be looked at by a copy."""

    def take(self, index: int, seen: Any) -> None:
        """Take over what a copy has seen of sample ``index``, once."""


@runtime_checkable
class Noting(Protocol):
    """Keeps what it has seen of an image until it is asked for it."""

    def hand_over(self, index: int) -> Any:
        """What it has seen of sample ``index``, picklable; it is forgotten here."""


class Score(NamedTuple):
    """The counts of a split, and over how many images."""

    matrix: ConfusionMatrix
    images: int
    note: str


def score(
    dataset: SegmentationDataset,
    label: Callable[[Sequence[tuple[int, Record]]], Iterable[Tensor | npt.NDArray[Any]]],
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    watchers: Sequence[Watcher] = (),
    unlabelled: bool = False,
    batch: int = 1,
    on_miou: Callable[[float], None] | None = None,
) -> Score:
    """Count label maps against a split, in one confusion matrix (METHOD section 9).

    Each of several processes counts its own share of the images, and all return the counts of the
    whole split; watchers see the images of their own process.

    Args:
        dataset: A labelled split.
        label: Gives the (H, W) train ids of each of some samples, in order, at the size of its
            labels; they are consecutive, and of one size.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each image.
        watchers: See each image and its label map.
        unlabelled: Count pixels without a class in a label map as wrong; otherwise they are an
            error.
        batch: Most samples that are labelled together. Each process takes whole batches, so that
            batches are the same for any number of processes.
        on_miou: Called with the mIoU of the images so far, those of this process.

    Raises:
        UserError: The split has no labels or images, or an image cannot be read or scored.
    """
    count = count_images(dataset, limit)
    space = dataset.label_space
    matrix = ConfusionMatrix(space.num_classes, space.ignore)
    processes = count_processes()
    rank = own_rank()
    own = [index for index in range(count) if index // batch % processes == rank]
    for group in group_samples(read_ahead(dataset.read, own), batch):
        for index in score_group(group, label, matrix, watchers, unlabelled):
            if on_miou is not None:
                on_miou(matrix.scores(space.names).miou)
            if on_progress is not None:
                before = index // (batch * processes) * batch * processes
                on_progress(min(before + (index % batch + 1) * processes, count), count)
    matrix.matrix = sum_over_processes(matrix.matrix)
    matrix.unlabelled = sum_over_processes(matrix.unlabelled)
    return Score(matrix, count, describe_part(dataset, count))


def count_images(dataset: SegmentationDataset, limit: int | None) -> int:
    """The number of images of a split to evaluate; UserError if there are none."""
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if count < 1:
        raise UserError(f"split '{dataset.split}' of {dataset.name} has no images to evaluate on.")
    return count


def describe_part(dataset: SegmentationDataset, count: int) -> str:
    """How the first ``count`` images differ from the standard split; empty if they do not."""
    limited = f"the first {count} of {len(dataset)} images" if count < len(dataset) else ""
    return ", ".join(filter(None, (dataset.note, limited)))


def score_group(
    group: Sequence[tuple[int, Record]],
    label: Callable[[Sequence[tuple[int, Record]]], Iterable[Tensor | npt.NDArray[Any]]],
    matrix: ConfusionMatrix,
    watchers: Sequence[Watcher] = (),
    unlabelled: bool = False,
) -> Iterator[int]:
    """Label a group of samples together and count them; yields each index once it is counted.

    Args:
        group: Samples with labels.
        label: As of ``score``.
        matrix: Takes the counts.
        watchers: As of ``score``.
        unlabelled: As of ``score``.
    """
    for (index, record), labels in zip(group, label(group), strict=True):
        assert record.labels is not None
        device = labels.device if isinstance(labels, Tensor) else "cpu"
        matrix.update(labels, torch.from_numpy(record.labels).to(device), unlabelled)
        if watchers:
            array = labels.cpu().numpy() if isinstance(labels, Tensor) else labels
            for watcher in watchers:
                watcher.look(index, record, array.astype(np.uint8))
        yield index


def group_samples(
    samples: Iterable[tuple[int, Record]], batch: int
) -> Iterator[list[tuple[int, Record]]]:
    """Groups of at most ``batch`` consecutive samples whose images, and label maps, have one size.
    No group reaches over a multiple of ``batch``.
    """
    group: list[tuple[int, Record]] = []
    for index, record in samples:
        if record.labels is None:
            yield from [group] if group else []  # in its turn
            raise UserError(f"'{record.name}' has no labels; evaluate on a labelled split.")
        is_apart = group and index // batch != group[0][0] // batch
        if group and (is_apart or _sizes(record) != _sizes(group[0][1])):
            yield group
            group = []
        group.append((index, record))
        if len(group) == batch:
            yield group
            group = []
    if group:
        yield group


def _sizes(record: Record) -> tuple[tuple[int, ...], ...]:
    assert record.labels is not None
    return record.image.shape, record.labels.shape


def read_ahead(
    read: Callable[[Asked], Read], asked: Iterable[Asked]
) -> Iterator[tuple[Asked, Read]]:
    """Pairs of (asked, read) in order; threads read the next ones meanwhile."""
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        waiting: deque[tuple[Asked, Future[Read]]] = deque()
        for one in asked:
            waiting.append((one, pool.submit(read, one)))
            if len(waiting) > READ_AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
