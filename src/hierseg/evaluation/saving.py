"""Saves the label maps of an evaluation, also in the data set's own ids, as submissions need."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from hierseg.data import Record, SegmentationDataset
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.scoring import Labels
from hierseg.files import remove_leftovers, shorten_name
from hierseg.jobs import LEGEND, write_legend
from hierseg.labels import LabelSpace
from hierseg.media import UnwritableError, as_unwritable, write_picture
from hierseg.ownership import FileRecord
from hierseg.processes import Launch
from hierseg.wording import count

COMMAND = "evaluate"
FLAG = "--save-predictions"


class PredictionFiles:
    """Writes ``NAME_labels.png`` (train ids), and ``NAME_ids.png`` where the data set has others.

    A name with folders keeps them. ``LabelMaps`` finds the files again.

    Args:
        folder: The folder; created if it does not exist.
        space: Label space of the train ids; written to ``legend.json``.
        record: Records the written files, so that a later run may replace them; None for a folder
            that is used once.
    """

    def __init__(self, folder: Path, space: LabelSpace, record: FileRecord | None = None) -> None:
        self.folder, self.space, self.record = folder, space, record
        folder.mkdir(parents=True, exist_ok=True)
        if record is not None:
            record.add(LEGEND)
        write_legend(space, folder)
        self._unwritten: list[UnwritableError] = []

    @classmethod
    def open(
        cls, folder: Path, dataset: SegmentationDataset, limit: int | None, overwrite: bool
    ) -> PredictionFiles:
        """The files of a split, or of its first images, in a folder that a user comes back to.

        Raises:
            UsageError: There are files under their names that no earlier run has written, and
                ``overwrite`` does not say that they may be replaced.
        """
        record, space = open_record(folder), dataset.label_space
        files = [file for s in dataset.samples[:limit] for file in list_saved_files(s.name, space)]
        record.require([*files, LEGEND], FLAG, overwrite)
        remove_leftovers(folder)
        return cls(folder, space, record)

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Write one image's label maps."""
        self._write(record.name, labels)

    def _write(self, name: str, labels: Labels) -> None:
        files = list_saved_files(name, self.space)
        if self.record is not None:
            self.record.add(*files)
        contents = [labels, *([self.space.decode(labels)] if self.space.raw_ids_differ else [])]
        try:
            for file, content in zip(files, contents, strict=True):
                path = self.folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                write_picture(path, content)
        except UnwritableError as error:
            self._unwritten.append(error)
        except OSError as error:
            self._unwritten.append(as_unwritable(error, self.folder))

    def copy_for_worker(self) -> _KeptLabels:
        """See ``PortableWatcher``."""
        return _KeptLabels()

    def expect(self, index: int) -> None:
        """Nothing: files are written here."""

    def take(self, index: int, seen: tuple[str, Labels]) -> None:
        """See ``PortableWatcher``."""
        self._write(*seen)

    def require_all(self) -> None:
        """UserError if label maps could not be written; the figures do not depend on them."""
        for error in self._unwritten:
            raise UserError(
                f"{count(len(self._unwritten), 'label map')} could not be written: "
                f"{str(error).strip('.')}."
            )


class _KeptLabels:
    """Keeps label maps for whoever writes them."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[str, Labels]] = {}

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Keep one."""
        self._kept[index] = record.name, labels

    def hand_over(self, index: int) -> tuple[str, Labels]:
        """See ``Noting``."""
        return self._kept.pop(index)


def list_saved_files(name: str, space: LabelSpace) -> list[str]:
    """The files of the image ``name``, relative to their folder."""
    path = name_files(name)
    endings = ("_labels", "_ids") if space.raw_ids_differ else ("_labels",)
    return [f"{path}{ending}.png" for ending in endings]


def name_files(name: str) -> str:
    """The beginning of the file names of the image ``name``, relative to their folder."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
    return str(PurePosixPath(*parts[:-1], shorten_name(parts[-1] if parts else "_")))


def open_record(folder: Path) -> FileRecord:
    """The record of the files that evaluations write into a folder."""
    rank = Launch.find().rank
    return FileRecord(folder, COMMAND, str(rank) if rank else "")


def require_apart(folder: Path, dataset: SegmentationDataset, flag: str = FLAG) -> None:
    """UsageError for a folder that holds images or labels of a split, directly, below it or through
    links: predictions among the ground truth would be taken for it.
    """
    above = _list_above(dataset)
    below = {folder / PurePosixPath(sample.name.lstrip("/")).parent for sample in dataset.samples}
    for place in (folder, *sorted(below)):
        # A missing folder followed by ".." still leads somewhere.
        file = above.get(_identify(Path(os.path.realpath(place))))
        if file is not None:
            raise UsageError(
                f"{flag} {folder} holds images or labels of {dataset.name} {dataset.split} "
                f"('{file}'); name another folder."
            )


def _list_above(dataset: SegmentationDataset) -> dict[tuple[int, int] | None, Path]:
    """All folders that a split's files are in or below, by device and inode; each with a file."""
    files = [file for index in range(len(dataset)) for file in dataset.list_files(index)]
    files += [file.resolve() for file in files if file.is_symlink()]
    parents = {file.parent: file for file in files}
    folders = {Path(os.path.realpath(parent)): file for parent, file in parents.items()}
    found: dict[Path, Path] = {}
    for folder, file in folders.items():
        found |= dict.fromkeys((folder, *folder.parents), file)
    return {
        identity: file
        for folder, file in found.items()
        if (identity := _identify(folder)) is not None
    }


def _identify(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
