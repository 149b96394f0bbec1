"""Auto-labels of any data set, found by the records that `hierseg autolabel` wrote beside them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hierseg.data.archive import find_files, get_status, is_file
from hierseg.data.base import SegmentationDataset
from hierseg.data.options import ExtraRules
from hierseg.data.pseudo_labels.records import ENDING, AutoRecord, AutoRecords, read_auto_records
from hierseg.data.pseudo_labels.rules import PseudoLabelledDataset, PseudoSample
from hierseg.errors import UserError

FOLDER = "autolabelled"
"""Name of the folder of auto-labels in the data set's folder."""


def find_auto_records(folder: Path) -> list[AutoRecords]:
    """All records of a folder of auto-labels, by name of their file; none where it has none."""
    return [read_auto_records(path) for path in find_files(folder, f"*{ENDING}")]


def open_auto_labels(
    folder: Path, main: SegmentationDataset, rules: ExtraRules, root: Path | None = None
) -> PseudoLabelledDataset:
    """The auto-labelled images of a folder, from any data set, as an extra source.

    Args:
        folder: The folder of `hierseg autolabel --out`; every split in it is used.
        main: The source that they join, of the same classes.
        rules: The threshold, and the classes that are sampled for; coarse labels are not used.
        root: Folder where the images are looked for first, by their relative paths. It is used if
            the first image there has the size in bytes of the one that was labelled.

    Raises:
        UserError: The folder holds no auto-labels, or those of other classes, or an image or a
            label map is not where it was.
    """
    found = find_auto_records(folder)
    if not any(part.records for part in found):
        raise UserError(
            f"'{folder}' holds no auto-labels; make them with `hierseg autolabel --out`, or name "
            "another folder with --data.auto-root."
        )
    space = main.label_space
    samples: dict[str, PseudoSample] = {}
    for part in found:
        if part.header.label_space.names != space.names:
            raise UserError(
                f"the auto-labels of '{part.path}' have the classes of "
                f"'{part.header.label_space.name}', and {main.name} has those of '{space.name}'; "
                "give --data.auto-root a folder of the same classes."
            )
        samples |= _list_samples(folder, part, root)
    # Raw ids may be others than those of the main source; they are read as they were written.
    own = dataclasses.replace(found[0].header.label_space, ignore=space.ignore)
    for part in found[1:]:
        if part.header.label_space.raw_ids != own.raw_ids:
            raise UserError(
                f"the auto-labels of '{part.path}' have other ids than those of "
                f"'{found[0].path}'; keep them in folders of their own."
            )
    ordered = [samples[label] for label in sorted(samples)]
    splits = sorted({part.header.split for part in found})
    dataset = PseudoLabelledDataset(main.name, "+".join(splits), own, ordered, rules)
    dataset.boosted_classes = frozenset(rules.boosted_classes)
    dataset.note, dataset.palette = "auto labels", main.palette
    return dataset


def _list_samples(folder: Path, part: AutoRecords, root: Path | None) -> dict[str, PseudoSample]:
    """The samples of a file of records, by label map."""
    roots = [place for place in (root, Path(part.header.root)) if place is not None]
    chosen: Path | None = None
    samples = {}
    for record in part.records.values():
        if chosen is None:  # the first image tells where all are
            # By its bytes too: images of other data may have the same names.
            chosen = next((p for p in roots if _is_labelled(p, record)), roots[-1])
        image = chosen / record.image
        label, confidence = folder / record.label, folder / record.confidence
        for path in (image, label, confidence):
            if not is_file(path):
                raise UserError(
                    f"'{path}', of the auto-labels in '{part.path}', is not there; run `hierseg "
                    "autolabel` again, or name the images' folder with --data.root."
                )
        samples[record.label] = PseudoSample(record.name, image, label, confidence)
    return samples


def _is_labelled(root: Path, record: AutoRecord) -> bool:
    """Whether the image below this folder is the one that was labelled."""
    path = root / record.image
    return is_file(path) and get_status(path).size == record.bytes
