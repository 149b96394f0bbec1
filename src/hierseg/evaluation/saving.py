"""Label maps of an evaluation as files, in the data set's own ids too, as submissions have them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from hierseg.data import Record
from hierseg.evaluation.score import Labels
from hierseg.inference.writers import write_legend, write_picture
from hierseg.labels import LabelSpace


class PredictionFiles:
    """Writes ``NAME_labels.png`` (train ids), and ``NAME_ids.png`` where the data set has others.

    A name with folders keeps them. ``LabelMaps`` finds the files again.

    Args:
        folder: Made where it is not.
        space: What the train ids mean; ``legend.json`` says it.
    """

    def __init__(self, folder: Path, space: LabelSpace) -> None:
        self.folder, self.space = folder, space
        folder.mkdir(parents=True, exist_ok=True)
        write_legend(space, folder)

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Write one image's label maps."""
        name = PurePosixPath(record.name)
        parts = [part for part in name.parts if part not in ("/", "..")]
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path.with_name(f"{path.name}_labels.png"), labels)
        if self.space.raw_ids_differ:
            write_picture(path.with_name(f"{path.name}_ids.png"), self.space.decode(labels))
