"""Label maps of any origin, found by the names of a split's images, and scored."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hierseg.data import Palette, Record, Sample, SegmentationDataset, find_files
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.label_files import looks_like_train_ids, read_prediction
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.scoring import Labels, Watcher, score
from hierseg.files import shorten_name
from hierseg.labels import UnknownLabelError
from hierseg.processes import count_processes
from hierseg.wording import count as count_of

Ids = Literal["train", "raw"]

_OWN = {"train": "_labels", "raw": "_ids"}  # what `hierseg predict` ends the names of files with
_PICTURES = ("_color", "_overlay", "_confidence", "_heat", "_image", "_prob")
_OF_A_SCALE = re.compile(r"_(attention|labels)_[\d.e+-]+$")


class LabelMaps:
    """A folder of label maps, 8- or 16-bit PNG of one channel, for the images of a split.

    A map has the image's name (``a.png``), with folders or without, or a name that begins with it,
    as those of ``hierseg predict`` do (``a_labels.png``, ``a_ids.png``).

    Args:
        folder: The folder; it is searched with all folders below it.
        dataset: The split.
        ids: What the maps hold: train ids (0..K-1) or the data set's own ids; also its void ids.
        palette: How to read a palette of greys; None decides by the ids that occur.

    Raises:
        UsageError: There is no such folder, or it has no PNG.
    """

    def __init__(
        self,
        folder: Path,
        dataset: SegmentationDataset,
        ids: Ids = "train",
        palette: Palette | None = None,
    ) -> None:
        if not folder.is_dir():
            raise UsageError(f"--predictions {folder} is not a folder; name one of label maps.")
        self.folder, self.dataset, self.ids = folder, dataset, ids
        self.palette = palette
        self._seen: set[int] = set()  # raw ids so far
        self._by_path: dict[str, Path] = {}
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in find_files(folder, "**/*.png"):
            self._by_path[path.relative_to(folder).with_suffix("").as_posix()] = path
            self._by_stem[path.stem].append(path)
        self._stems = {Path(sample.name).name for sample in dataset.samples}
        self._stems |= {sample.image.stem for sample in dataset.samples}
        if not self._by_path:
            raise UsageError(f"--predictions {folder} holds no .png; name a folder of label maps.")

    def require(self, count: int) -> None:
        """UserError unless each of the first ``count`` images has one map of its own."""
        samples = self.dataset.samples[:count]
        found = [self.find(sample) for sample in samples]
        missing = [sample for sample, path in zip(samples, found, strict=True) if path is None]
        if missing:
            name, verb = missing[0].name, "has" if len(missing) == 1 else "have"
            raise UserError(
                f"{len(missing)} of {count_of(count, 'image')} {verb} no label map in "
                f"{self.folder}; "
                f"'{name}' needs {self.folder / name}{_OWN[self.ids]}.png or {name}.png."
            )
        owners: dict[Path | None, Sample] = {}
        for sample, path in zip(samples, found, strict=True):
            other = owners.setdefault(path, sample)
            if other is not sample:
                raise UserError(
                    f"'{path}' would be the label map of both '{other.name}' and '{sample.name}'; "
                    f"name the maps by folder and image, as {self.folder / sample.name}.png."
                )

    def find(self, sample: Sample) -> Path | None:
        """The map of a sample; None where there is none, UserError where there are several."""
        names = dict.fromkeys((sample.name, sample.image.stem, Path(sample.name).name))
        names[sample.name.replace("/", "_")] = None
        # As names that are too long for a file with an ending are written.
        for name in list(names):
            above, slash, last = name.rpartition("/")
            names[f"{above}{slash}{shorten_name(last)}"] = None
        endings = [_OWN[self.ids], ""]
        if not self.dataset.label_space.raw_ids_differ:  # `hierseg predict` writes labels alone
            endings.append(_OWN["train"])
        for ending in endings:
            for name in names:
                if f"{name}{ending}" in self._by_path:
                    return self._by_path[f"{name}{ending}"]
        for ending in endings:
            for name in names:
                if found := self._by_stem.get(f"{name}{ending}"):
                    return self._only(sample, found)
        begins = tuple(f"{name}_" for name in names if "/" not in name)
        other = (_OWN["raw" if self.ids == "train" else "train"], *_PICTURES)
        # Another image's name may begin with this one's, as "a_1" does with "a".
        longer = tuple(
            stem for stem in self._stems if stem.startswith(begins) and stem not in names
        )
        found = [
            path
            for stem, paths in self._by_stem.items()
            if stem.startswith(begins)
            and not stem.endswith(other)
            and not _OF_A_SCALE.search(stem)
            and not f"{stem}_".startswith(tuple(f"{name}_" for name in longer))
            for path in paths
        ]
        return self._only(sample, found) if found else None

    def _only(self, sample: Sample, found: Sequence[Path]) -> Path:
        if len({path.resolve() for path in found}) > 1:  # links lead to one map by several names
            raise UserError(
                f"'{sample.name}' has several label maps in {self.folder}, {found[0].name} and "
                f"{found[1].name} among them; keep one for each image."
            )
        return found[0]

    def read(self, index: int, record: Record) -> Labels:
        """(H, W) uint8 train ids of a sample; UserError if the file does not hold them."""
        path = self.find(self.dataset.samples[index])
        if path is None:
            raise UserError(f"'{record.name}' has no label map in {self.folder}.")
        space = self.dataset.label_space
        values = read_prediction(path, space, self.palette, raw=self.ids == "raw")
        if record.labels is not None and values.shape != record.labels.shape:
            (height, width), (own_height, own_width) = record.labels.shape, values.shape
            raise UserError(
                f"'{path}' is {own_height}x{own_width} but the labels of '{record.name}' are "
                f"{height}x{width}; give label maps of their image's size."
            )
        if self.ids == "raw":
            self._seen |= set(np.unique(values).tolist())
            try:
                return space.encode(values)
            except UnknownLabelError as error:
                said = str(error).rstrip(".")
                raise UserError(
                    f"'{path}': {said}; leave out --ids raw if it holds train ids."
                ) from error
        wrong = values[(values >= space.num_classes) & (values != space.ignore)]
        if wrong.size:
            raise UserError(
                f"'{path}' holds id {int(wrong[0])}, which is not a train id of {space.name} (0 to "
                f"{space.num_classes - 1}); add --ids raw if it holds the data set's own ids."
            )
        return values.astype(np.uint8)

    def require_raw(self) -> None:
        """UserError if maps that should hold raw ids hold train ids: some train ids are raw ids of
        classes that do not count, so the score would be wrong.
        """
        if self.ids == "raw" and looks_like_train_ids(self._seen, self.dataset.label_space):
            raise UserError(
                f"the label maps in '{self.folder}' hold train ids and not the ids of "
                f"{self.dataset.label_space.name}; leave out --ids raw."
            )


def score_label_maps(
    maps: LabelMaps,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    watchers: Sequence[Watcher] = (),
    on_miou: Callable[[float], None] | None = None,
) -> Evaluation:
    """Score a folder of label maps against its split. Pixels without a class count as wrong.

    Raises:
        UserError: An image has no map, or a map cannot be scored.
    """
    dataset = maps.dataset
    maps.require(len(dataset) if limit is None else min(limit, len(dataset)))
    found = score(
        dataset,
        lambda batch: (maps.read(*sample) for sample in batch),
        limit,
        on_progress,
        watchers,
        unlabelled=True,
        on_miou=on_miou,
    )
    maps.require_raw()
    return Evaluation(
        scores=found.matrix.scores(dataset.label_space.names),
        confusion=tuple(tuple(row) for row in found.matrix.matrix.tolist()),
        data=dataset.name,
        split=dataset.split,
        names=dataset.label_space.names,
        scales=(),
        flip=False,
        images=found.images,
        note=found.note,
        mode=f"label maps of {maps.folder}",
        unlabelled=tuple(found.matrix.unlabelled.tolist()),
        processes=count_processes(),
    )
