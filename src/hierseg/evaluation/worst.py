"""The images with the lowest mIoU, and for each class those with most wrong pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import Record, SegmentationDataset
from hierseg.distributed import gather
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.saving import open_record
from hierseg.evaluation.scoring import Labels
from hierseg.inference import class_shares
from hierseg.labels import LabelSpace
from hierseg.media import render_errors, shrink, write_picture
from hierseg.metrics import ConfusionMatrix
from hierseg.pages import FILE as PAGE
from hierseg.pages import FOLDER, LONGEST, ImageRecord, Page, Panel, write_overlay_panel, write_page
from hierseg.processes import own_rank
from hierseg.wording import count

LOWEST = "lowest IoU"
KEPT = "labels"
PICTURES = ("image", "overlay", "truth", "errors")


@dataclass(frozen=True, eq=False)
class _Image:
    """One image's mIoU, and its wrong pixels by class."""

    index: int
    miou: float
    wrong: npt.NDArray[np.int64]
    missed: int


def _list_files(index: int) -> list[str]:
    """The files of an image, relative to the folder of the page."""
    pictures = [f"{FOLDER}/{index:06d}_{kind}.jpg" for kind in PICTURES]
    return [f"{KEPT}/{index:06d}.png", *pictures]


class WorstImages:
    """Keeps the label maps of the worst images, and shows them on a page.

    An image's mIoU is the mean over the classes that occur in its truth or its prediction. The
    wrong pixels of a class are those that have it in only one of the two.

    Args:
        count: Number of images, and of images for each class.
        dataset: The split that is evaluated.
        out: Folder of the page; created if it does not exist.
        overwrite: Replace files that hierseg did not write.

    Raises:
        UsageError: There are such files, and ``overwrite`` is False.
    """

    def __init__(
        self, count: int, dataset: SegmentationDataset, out: Path, overwrite: bool = False
    ) -> None:
        self.count, self.dataset, self.out = count, dataset, out
        self._written = open_record(out)
        files = [file for index in range(len(dataset)) for file in _list_files(index)]
        self._written.require([PAGE, *files], "--out", overwrite)
        self._lowest: list[_Image] = []
        self._by_class: list[list[_Image]] = [[] for _ in dataset.label_space.names]
        out.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)
        out.joinpath(KEPT).mkdir(exist_ok=True)

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Rank one image; its label map stays while it is among the worst."""
        self._place(_measure(self.dataset.label_space, index, record, labels), labels)

    def copy_for_worker(self) -> _Measured:
        """See ``PortableWatcher``."""
        return _Measured(self.dataset.label_space)

    def expect(self, index: int) -> None:
        """Nothing: files are written here."""

    def take(self, index: int, seen: tuple[_Image, Labels]) -> None:
        """See ``PortableWatcher``."""
        self._place(*seen)

    def _place(self, image: _Image, labels: Labels) -> None:
        before = self._kept()
        self._rank_image(image)
        after = self._kept()
        if image.index in after:
            self._written.add(*_list_files(image.index))
            write_picture(self._path(image.index), labels)
        for dropped in before - after:
            self._path(dropped).unlink(missing_ok=True)

    def write(self, evaluation: Evaluation) -> Path:
        """Write ``index.html``: the pictures of each image, and the lists to choose from. Of
        several processes, all of which must call it, the first writes it, of the images of all.
        """
        self._merge()
        if own_rank() > 0:
            return self.out / PAGE
        space = self.dataset.label_space
        images = {image.index: image for image in chain(self._lowest, *self._by_class)}
        order = sorted(images.values(), key=lambda image: (image.miou, image.index))
        name_of = {index: self.dataset.samples[index].name for index in images}
        lists = {LOWEST: [name_of[image.index] for image in self._lowest]}
        for name, ranked in zip(space.names, self._by_class, strict=True):
            if ranked:
                lists[f"{name}: most wrong pixels"] = [name_of[image.index] for image in ranked]
        scores = evaluation.scores
        page = Page(
            title=f"Worst of {evaluation.data} {evaluation.split}",
            facts=[
                f"{len(images)} of {count(evaluation.images, 'image')}",
                f"mIoU {scores.miou:.3f} over "
                f"{count(scores.num_classes_averaged, 'class', 'classes')}",
                evaluation.mode,
            ],
            notes=[
                "An image's mIoU is the mean over the classes in that image. The wrong pixels of a "
                "class are those that have it in truth or prediction and not in both."
            ],
            label_space=space,
            records=[self._record(image) for image in order],
            lists=lists,
        )
        self._written.add(PAGE)
        return write_page(page, self.out)

    def _merge(self) -> None:
        """Rank what all processes have kept, as one would have."""
        found = gather((self._lowest, self._by_class))
        self._lowest, self._by_class = [], [[] for _ in self._by_class]
        images = {image.index: image for low, by in found for image in chain(low, *by)}
        for index in sorted(images):
            self._rank_image(images[index])
        for index in images.keys() - self._kept():
            if own_rank() == 0:
                self._path(index).unlink(missing_ok=True)

    def _rank_image(self, image: _Image) -> None:
        """Have an image in the lists where it is among the worst."""
        if not math.isnan(image.miou):
            self._rank(self._lowest, image, lambda other: other.miou)
        for train, ranked in enumerate(self._by_class):
            if image.wrong[train]:
                self._rank(ranked, image, lambda other, train=train: -other.wrong[train])  # type: ignore[misc]

    def _rank(self, ranked: list[_Image], image: _Image, key: Callable[[_Image], float]) -> None:
        ranked.append(image)
        # Of equals the earlier stays, in whatever order they come.
        ranked.sort(key=lambda other: (key(other), other.index))
        del ranked[self.count :]

    def _kept(self) -> set[int]:
        return {image.index for ranked in (self._lowest, *self._by_class) for image in ranked}

    def _path(self, index: int) -> Path:
        return self.out / KEPT / f"{index:06d}.png"

    def _record(self, image: _Image) -> ImageRecord:
        """One image's pictures, and what the page says of it."""
        names = self.dataset.label_space.names
        labels = np.asarray(
            cv2.imread(str(self._path(image.index)), cv2.IMREAD_UNCHANGED), np.uint8
        )
        worst = [names[train] for train in np.argsort(-image.wrong)[:3] if image.wrong[train]]
        facts = [f"mIoU {image.miou:.3f}", f"{image.missed:,} wrong pixels"]
        facts += [f"most in {', '.join(worst)}"] if worst else []
        return show_compared(self.dataset, image.index, labels, self.out, facts)


def _measure(space: LabelSpace, index: int, record: Record, labels: Labels) -> _Image:
    """How one image did."""
    assert record.labels is not None
    matrix = ConfusionMatrix(space.num_classes, space.ignore)
    matrix.update(labels, record.labels, unlabelled=True)
    counts, unlabelled = matrix.matrix.numpy(), matrix.unlabelled.numpy()
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal() + unlabelled
    missed = int(counts.sum() - counts.trace() + unlabelled.sum())
    return _Image(index, matrix.scores(space.names).miou, wrong, missed)


class _Measured:
    """Measures images for whoever ranks them, and keeps their label maps."""

    def __init__(self, space: LabelSpace) -> None:
        self.space = space
        self._kept: dict[int, tuple[_Image, Labels]] = {}

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Measure one."""
        self._kept[index] = _measure(self.space, index, record, labels), labels

    def hand_over(self, index: int) -> tuple[_Image, Labels]:
        """See ``Noting``."""
        return self._kept.pop(index)


def show_compared(
    dataset: SegmentationDataset, index: int, labels: Labels, out: Path, facts: list[str]
) -> ImageRecord:
    """Write an image, its truth, its prediction and the wrong pixels as pictures of a page.

    Args:
        dataset: A labelled split.
        index: Index of the sample.
        labels: (H, W) uint8 predicted train ids.
        out: Folder of the page.
        facts: Facts that the page shows beside the image.
    """
    space = dataset.label_space
    record = dataset.read(index)
    assert record.labels is not None
    height, width = labels.shape
    pixels = record.image
    if pixels.shape[:2] != labels.shape:  # evaluated at another size than the labels'
        pixels = np.asarray(cv2.resize(pixels, (width, height)), np.uint8)
    stem = f"{index:06d}"
    shown = write_picture(out / FOLDER / f"{stem}_image.jpg", shrink(pixels, LONGEST))
    overlay = write_overlay_panel(pixels, labels, space, out, f"{stem}_overlay")
    truth = write_overlay_panel(pixels, record.labels, space, out, f"{stem}_truth")
    wrong = render_errors(pixels, labels, record.labels, space.ignore)
    errors = write_picture(out / FOLDER / f"{stem}_errors.jpg", shrink(wrong, LONGEST))
    panels = [
        Panel(kind, caption, path.relative_to(out).as_posix())
        for kind, caption, path in (
            ("image", "image", shown),
            ("truth", "truth", truth),
            ("overlay", "prediction", overlay),
            ("errors", "wrong pixels", errors),
        )
    ]
    return ImageRecord(
        source=str(dataset.samples[index].image),
        bytes=0,
        modified=0,
        name=record.name,
        height=height,
        width=width,
        confidence=None,
        shares=class_shares(record.labels, space),
        seconds=0.0,
        files=[panel.file for panel in panels],
        panels=panels,
        facts=facts,
    )
