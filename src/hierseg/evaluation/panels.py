"""Panels of an evaluation, as files and as a page: image, truth, prediction, wrong pixels,
confidence, and attention and labels of each scale.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import Record, SegmentationDataset
from hierseg.distributed import gather
from hierseg.errors import UserError
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.saving import name_files, open_record
from hierseg.evaluation.scoring import Labels
from hierseg.files import remove_leftovers
from hierseg.inference import Prediction, Segmentation
from hierseg.jobs import list_outputs, write_outputs
from hierseg.media import (
    UnwritableError,
    as_unwritable,
    render_color,
    render_errors,
    shrink,
    write_picture,
)
from hierseg.metrics import ConfusionMatrix
from hierseg.ownership import FileRecord
from hierseg.pages import FILE as PAGE
from hierseg.pages import (
    FOLDER,
    LONGEST,
    ImageRecord,
    Page,
    Panel,
    list_panels,
    write_overlay_panel,
    write_page,
)
from hierseg.processes import own_rank
from hierseg.wording import count

FLAG = "--save-panels"
LOWEST = "lowest mIoU first"
SHOWN = ("overlay", "color", "confidence", "attention", "scales")
"""Outputs of a prediction, by their names in ``jobs``."""
OWN = ("_image.jpg", "_truth.png", "_errors.png")
OWN_OF_SCALE = "_color_{:g}.png"


class PanelFiles:
    """Writes pictures of images as they are evaluated, and in the end a page of them.

    Beside what ``page/`` holds for ``index.html``, of each image: ``NAME_image.jpg``,
    ``NAME_truth.png`` and ``NAME_color.png`` (colours of truth and prediction),
    ``NAME_overlay.jpg`` (image and prediction), ``NAME_errors.png`` (white where a counted pixel is
    wrong), ``NAME_confidence.png``, and for each scale ``NAME_attention_SCALE.png``, that as a heat
    map, ``NAME_labels_SCALE.png`` and ``NAME_color_SCALE.png``.

    Args:
        folder: The folder; created if it does not exist.
        dataset: The split.
        wanted: Samples that are written; None for all.
        record: Records the written files, so that a later run may replace them; None for a folder
            that is used once.
        pictures_alone: Write only what the page shows, and leave out an image whose scales do not
            fit into memory.
        scales: The scales that are run, if they are known.
    """

    def __init__(
        self,
        folder: Path,
        dataset: SegmentationDataset,
        wanted: Collection[int] | None = None,
        record: FileRecord | None = None,
        pictures_alone: bool = False,
        scales: Sequence[float] = (),
    ) -> None:
        self.folder, self.dataset, self.wanted = folder, dataset, wanted
        self.record, self.pictures_alone = record, pictures_alone
        self.can_miss, self.scales = pictures_alone, scales
        self._seen: dict[int, tuple[float, ImageRecord]] = {}
        self._unwritten: list[UnwritableError] = []
        folder.joinpath(FOLDER).mkdir(parents=True, exist_ok=True)

    @classmethod
    def open(
        cls,
        folder: Path,
        dataset: SegmentationDataset,
        limit: int | None,
        scales: Sequence[float],
        overwrite: bool,
    ) -> PanelFiles:
        """The panels of a split, or of its first images, in a folder that a user comes back to.

        Raises:
            UsageError: There are files under their names that no earlier run has written, and
                ``overwrite`` does not say that they may be replaced.
        """
        record = open_record(folder)
        names = [name_files(sample.name) for sample in dataset.samples[:limit]]
        files = [file for name in names for file in _list_files(name, scales)]
        record.require([*files, PAGE], FLAG, overwrite)
        remove_leftovers(folder)
        return cls(folder, dataset, None, record, scales=scales)

    def wants(self, index: int) -> bool:
        """Whether sample ``index`` is written."""
        return self.wanted is None or index in self.wanted

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Do nothing: the pictures are made of the details."""

    def look_at_details(self, index: int, record: Record, details: Segmentation) -> None:
        """Write one image's pictures."""
        assert record.labels is not None
        height, width = record.labels.shape
        image = record.image
        if image.shape[:2] != (height, width):  # the image has another size than its labels
            image = np.asarray(cv2.resize(image, (width, height)), np.uint8)
        prediction = Prediction(
            np.ascontiguousarray(image), details.labels, details.confidence,
            self.dataset.label_space, details.attention, details.per_scale,
        )  # fmt: skip
        try:
            self._seen[index] = self._write(index, record, prediction)
        except UnwritableError as error:
            self._unwritten.append(error)
        except OSError as error:
            self._unwritten.append(as_unwritable(error, self.folder))

    def copy_for_worker(self) -> PanelFiles:
        """See ``PortableWatcher``; it writes the pictures, where it is."""
        return PanelFiles(self.folder, self.dataset, self.wanted, None, self.pictures_alone)

    def expect(self, index: int) -> None:
        """Record its files as those of this run."""
        if self.record is not None:
            name = name_files(self.dataset.samples[index].name)
            self.record.add(*_list_files(name, sorted(self.scales)))

    def hand_over(self, index: int) -> tuple[float, ImageRecord] | UnwritableError | None:
        """See ``Noting``."""
        if self._unwritten:
            return self._unwritten.pop()
        return self._seen.pop(index, None)

    def take(self, index: int, seen: tuple[float, ImageRecord] | UnwritableError | None) -> None:
        """See ``PortableWatcher``."""
        if isinstance(seen, UnwritableError):
            self._unwritten.append(seen)
        elif seen is not None:
            self._seen[index] = seen

    def write(self, evaluation: Evaluation, title: str) -> Path:
        """Write ``index.html``. Of several processes, all of which must call it, the first writes
        it, of the images of all.
        """
        seen = {index: one for share in gather(self._seen) for index, one in share.items()}
        if own_rank() > 0:
            return self.folder / PAGE
        images = [seen[index] for index in sorted(seen)]
        ranked = sorted(images, key=lambda one: (np.isnan(one[0]), one[0]))
        scores = evaluation.scores
        scales = " ".join(f"{scale:g}" for scale in evaluation.scales)
        page = Page(
            title=title,
            facts=[
                f"{count(len(images), 'image')} of {evaluation.images}",
                f"mIoU {scores.miou:.4f} over "
                f"{count(scores.num_classes_averaged, 'class', 'classes')}",
                *([] if evaluation.loss is None else [f"loss {evaluation.loss:.4f}"]),
                f"scales {scales}" + (", with mirror image" if evaluation.flip else ""),
            ],
            notes=[
                "An image's mIoU is the mean over the classes in that image. Attention is the "
                "weight of a scale against the larger ones; confidence is the probability of the "
                "predicted class."
            ],
            label_space=self.dataset.label_space,
            records=[record for _, record in images],
            lists={LOWEST: [record.name for _, record in ranked]},
        )
        if self.record is not None:
            self.record.add(PAGE)
        return write_page(page, self.folder)

    def require_all(self) -> None:
        """UserError if pictures could not be written; the figures do not depend on them."""
        if said := self.describe_missing():
            raise UserError(said)

    def describe_missing(self) -> str:
        """A sentence that says which pictures could not be written, and why; empty if none."""
        if not self._unwritten:
            return ""
        return (
            f"the panels of {count(len(self._unwritten), 'image')} could not be written: "
            f"{str(self._unwritten[0]).strip('.')}."
        )

    def _write(
        self, index: int, record: Record, prediction: Prediction
    ) -> tuple[float, ImageRecord]:
        """An image's mIoU, and its record with all its pictures."""
        name = name_files(record.name)
        truth = record.labels
        assert truth is not None
        scales = sorted({*(prediction.per_scale or {}), *(prediction.attention or {})})
        if self.record is not None:
            self.record.add(*_list_files(name, scales))
        self.folder.joinpath(FOLDER, name).parent.mkdir(parents=True, exist_ok=True)
        if not self.pictures_alone:
            self.folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        written = write_outputs(
            prediction, self.folder, name, () if self.pictures_alone else SHOWN,
            source=str(self.dataset.samples[index].image), bytes=0, modified=0, seconds=0.0,
            shown=SHOWN,
        )  # fmt: skip
        if not self.pictures_alone:
            self._write_files(name, prediction, truth)
        image, *rest = written.panels
        panels = [image, *self._write_truth(name, prediction, truth)]
        panels.insert(2, rest.pop(0))  # truth, prediction, what is wrong in it
        space = self.dataset.label_space
        matrix = ConfusionMatrix(space.num_classes, space.ignore)
        matrix.update(prediction.labels, truth)
        miou = matrix.scores(space.names).miou
        wrong = int(matrix.matrix.sum() - matrix.matrix.trace())
        facts = [*([] if np.isnan(miou) else [f"mIoU {miou:.3f}"]), f"{wrong:,} wrong pixels"]
        return miou, dataclasses.replace(written, panels=[*panels, *rest], facts=facts)

    def _write_files(self, name: str, prediction: Prediction, truth: npt.NDArray[np.uint8]) -> None:
        space = self.dataset.label_space
        wrong = (prediction.labels != truth) & (truth != space.ignore)
        pictures: list[npt.NDArray[Any]] = [
            prediction.image, render_color(truth, space), wrong.astype(np.uint8) * 255,
        ]  # fmt: skip
        for ending, picture in zip(OWN, pictures, strict=True):
            write_picture(self.folder / f"{name}{ending}", picture)
        for scale, labels in (prediction.per_scale or {}).items():
            path = self.folder / f"{name}{OWN_OF_SCALE.format(scale)}"
            write_picture(path, render_color(labels, space))

    def _write_truth(
        self, name: str, prediction: Prediction, truth: npt.NDArray[np.uint8]
    ) -> list[Panel]:
        space, image = self.dataset.label_space, prediction.image
        shown = write_overlay_panel(image, truth, space, self.folder, f"{name}_truth")
        wrong = render_errors(image, prediction.labels, truth, space.ignore)
        errors = write_picture(self.folder / FOLDER / f"{name}_errors.jpg", shrink(wrong, LONGEST))
        return [
            Panel("truth", "truth", shown.relative_to(self.folder).as_posix()),
            Panel("errors", "wrong pixels", errors.relative_to(self.folder).as_posix()),
        ]


def _list_files(name: str, scales: Sequence[float]) -> list[str]:
    """All files that may be written for an image, relative to the folder."""
    own = [f"{name}{ending}" for ending in OWN]
    own += [f"{name}{OWN_OF_SCALE.format(scale)}" for scale in scales]
    own += [f"{FOLDER}/{name}_{kind}.jpg" for kind in ("truth", "errors")]
    return [*own, *list_outputs(name, SHOWN, scales), *list_panels(name, SHOWN, scales)]
