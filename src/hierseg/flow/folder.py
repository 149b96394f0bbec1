"""A folder of flow that was computed elsewhere, a file for each pair of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hierseg.errors import UsageError
from hierseg.flow.flow_files import ENDINGS, read_flow
from hierseg.flow.protocol import Flow, FlowError, Image, Pair, check_frames
from hierseg.size import Size

CITYSCAPES = "_leftImg8bit"
"""What names of Cityscapes' frames end in; names of flow may leave it out."""


def name_flow(pair: Pair) -> PurePosixPath:
    """The name of a pair's file in such a folder, without its ending: beside where the target would
    lie, ``<target>_to_<source>``.
    """
    target = PurePosixPath(pair.target)
    return target.with_name(f"{target.name}_to_{PurePosixPath(pair.source).name}")


class FolderFlow:
    """Reads flow from ``<target>_to_<source>.npz`` or ``.flo``.

    Args:
        folder: Where the files lie, in subfolders as the frames do.

    Raises:
        UsageError: There is no such folder.
    """

    name = "folder"
    needs_before = False

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"the folder of flow {folder} does not exist; check the path.")
        self.folder = folder

    def fingerprint(self) -> str:
        """See ``FlowEstimator``: the folder's path, since files may be added while a job runs."""
        return f"folder {self.folder.resolve()}"

    def estimate(
        self,
        source: Image,
        target: Image,
        before: Image | None = None,
        *,
        where: Pair | None = None,
    ) -> Flow:
        """See ``FlowEstimator``; of the frames their size counts."""
        check_frames(source, target)
        if where is None:
            raise FlowError("flow from a folder needs frames with names; give another estimator.")
        for name in _list_names(where):
            if name.is_absolute() or ".." in name.parts:
                raise FlowError(f"the frame {where.target} has a name that leaves the folder.")
            for ending in ENDINGS:
                path = self.folder / f"{name}{ending}"
                if path.exists():
                    return read_flow(path, Size(*target.shape[:2]))
        path = self.folder / f"{name_flow(where)}{ENDINGS[0]}"
        raise FlowError(f"there is no flow {path}, nor as {ENDINGS[1]}; write one of them.")


def _list_names(where: Pair) -> Iterator[PurePosixPath]:
    yield name_flow(where)
    source, target = (name.removesuffix(CITYSCAPES) for name in (where.source, where.target))
    yield name_flow(Pair(source, target))
