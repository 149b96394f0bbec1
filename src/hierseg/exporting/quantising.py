"""Writes a graph in int8; layers that change too many labels are found and stay in float32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hierseg.checkpoint import Header
from hierseg.engines import ExportedEngine
from hierseg.errors import UsageError, UserError, lacks_memory
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.quantisers import Quantiser, open_quantiser, require_quantiser
from hierseg.exporting.samples import SampleImage
from hierseg.exporting.writing import write_graph
from hierseg.files import move_into_place
from hierseg.models import SegmentationNetwork

MEASURED = 24
"""Most images on which ranges are measured."""
JUDGED = 4
"""Further images, on which the loss by each group of layers is judged."""
GOAL = 0.995
"""If this share of labels is equal, no further layer is left in float32."""
MOST_KEPT = 1 / 3
"""Most groups of layers left in float32; with more, int8 would save no time."""
GROUPS = 14
"""Most groups of layers; each is tried once."""
LEAST_GAIN = 1e-4
"""Smallest share of the labels that a group must restore to be left in float32."""
Labels = Sequence[npt.NDArray[np.uint8]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class KeptLayers:
    """A group of layers that is left in float32.

    Attributes:
        name: Common beginning of its layers' names.
        layers: Number of its layers.
        gain: Share of the labels that it restores by itself; below 0 if it makes more differ.
    """

    name: str
    layers: int
    gain: float


@dataclass(frozen=True)
class Quantisation:
    """How a graph was quantised.

    Attributes:
        tool: Name of the tool.
        measured: Number of images on which ranges were measured.
        judged: Number of images on which layers were judged.
        source: The images' origin, in words.
        layers: Number of layers.
        agreement: Share of the written graph's labels, on the judged images, that equal those in
            float32.
        agreement_of_all: This share with all layers in int8.
        kept: Groups of layers left in float32, the largest gain first.
    """

    tool: str
    measured: int
    judged: int
    source: str
    layers: int
    agreement: float
    agreement_of_all: float
    kept: tuple[KeptLayers, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON holds them."""
        return asdict(self)


def write_quantised(
    network: SegmentationNetwork,
    header: Header,
    path: Path,
    options: ExportOptions,
    images: Sequence[SampleImage],
    source: str,
    say: Say | None = None,
) -> Quantisation:
    """Write a network as a graph in int8. The file is written whole, or stays as it was.

    Args:
        network: The network, in evaluation mode; not changed.
        header: The header for the file's metadata.
        path: The file.
        options: The graph's options, with precision int8.
        images: Two or more images like those that the network will see. Layers are judged on the
            last ``JUDGED`` of them, but on no more than half.
        source: The images' origin in words, for the report.
        say: Called with the current activity.

    Returns:
        How the graph was quantised.

    Raises:
        UsageError: Options are out of range or exclude each other.
        UserError: A package is not installed, there are too few images, or the tool fails.
    """
    tell = say or (lambda _: None)
    options.check(path)
    if options.part == "scale":
        raise UsageError("--precision int8 needs labels to judge by; leave --part scale out.")
    require_quantiser(options.format)
    if len(images) < 2:
        raise UserError(f"{source} has one image; give at least two for int8, or better twenty.")
    judged = min(JUDGED, len(images) // 2)
    batches = [np.ascontiguousarray(one.pixels.transpose(2, 0, 1)[None]) for one in images]
    measuring, judging = batches[:-judged][:MEASURED], batches[-judged:]
    with tempfile.TemporaryDirectory(prefix="hierseg-int8-") as folder:
        plain = Path(folder, "plain" + path.suffix)
        write_graph(network, header, plain, options, say)
        quantiser = open_quantiser(options.format, plain)
        try:
            tell(f"measuring ranges over {len(measuring)} images")
            quantiser.calibrate(measuring)
            search = LayerSearch(quantiser, Path(folder), judging, tell)
            kept, whole, final = search.run()
        except (MemoryError, UserError, OSError):
            raise
        except Exception as error:  # whatever a library raises
            if lacks_memory(error):
                raise
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"{quantiser.tool} cannot quantise this network ({said:.200}); leave --precision "
                "int8 out."
            ) from error
        _move(search.trial, path)
    return Quantisation(
        quantiser.tool,
        len(measuring),
        len(judging),
        source,
        len(quantiser.layers),
        final,
        whole,
        tuple(kept),
    )


class LayerSearch:
    """Finds the layers whose quantisation changes most labels.

    Each group of layers is tried once in float32, with all others in int8. The groups that restore
    most labels stay in float32, until enough labels are equal.

    Args:
        quantiser: The quantiser, after ``calibrate``.
        folder: Folder for trials.
        images: The images for judging.
        say: Called with the current activity.

    Attributes:
        trial: The file of the last trial.
    """

    def __init__(
        self,
        quantiser: Quantiser,
        folder: Path,
        images: Sequence[npt.NDArray[np.uint8]],
        say: Say,
    ) -> None:
        self.quantiser, self.images, self.say = quantiser, images, say
        self.trial = folder / ("trial" + quantiser.path.suffix)
        self.reference = self._run(quantiser.path)

    def run(self) -> tuple[list[KeptLayers], float, float]:
        """The groups left in float32, and the share of equal labels without and with them.

        The trial's file is then the final graph.
        """
        self.say("quantising")
        whole = self._try(())
        if whole >= GOAL:
            return [], whole, whole
        groups = group_layers(list(self.quantiser.layers))
        found = []
        for number, (name, layers) in enumerate(groups.items(), 1):
            self.say(f"trying groups of layers in float32, {number} of {len(groups)}")
            found.append(KeptLayers(name, len(layers), self._try(layers) - whole))
        found.sort(key=lambda one: -one.gain)
        most = max(1, int(len(groups) * MOST_KEPT))
        kept: list[KeptLayers] = []
        final = whole
        for one in found:
            if final >= GOAL or one.gain < LEAST_GAIN or len(kept) >= most:
                break
            tried = self._try(_gather(groups, [*kept, one]))
            if tried - final < LEAST_GAIN:  # other groups have restored the same labels
                continue
            kept.append(one)
            final = tried
        return kept, whole, self._try(_gather(groups, kept))

    def _try(self, kept: Collection[str]) -> float:
        self.quantiser.write(self.trial, kept)
        pairs = zip(self._run(self.trial), self.reference, strict=True)
        equal = [(own == other).ravel() for own, other in pairs]
        return float(np.concatenate(equal).mean())

    def _run(self, path: Path) -> Labels:
        engine = ExportedEngine(path)
        return [engine.decide(torch.from_numpy(image)).labels.numpy() for image in self.images]


def group_layers(layers: Sequence[str], most: int = GROUPS) -> dict[str, list[str]]:
    """Group layers by the beginnings of their names, as finely as ``most`` groups allow.

    Args:
        layers: Names such as ``trunk.blocks.0.conv``.
        most: Most groups.

    Returns:
        Common beginning of a group's names -> its layers.
    """
    groups = {"": list(layers)}
    whole: set[str] = set()
    while open_ := [name for name in groups if name not in whole]:
        largest = max(open_, key=lambda name: len(groups[name]))
        parts = _split(groups[largest], largest)
        if len(parts) < 2 or len(groups) - 1 + len(parts) > most:
            whole.add(largest)
            continue
        del groups[largest]
        groups.update(parts)
    return {name or "all layers": groups[name] for name in sorted(groups)}


def _split(layers: Sequence[str], beginning: str) -> dict[str, list[str]]:
    """Split a group by the next parts of its names, as many as are needed to tell some apart."""
    depth = beginning.count(".") + 1 if beginning else 0
    longest = max(name.count(".") + 1 for name in layers)
    parts: dict[str, list[str]] = {}
    for further in range(depth + 1, longest + 1):
        parts = {}
        for name in layers:
            parts.setdefault(".".join(name.split(".")[:further]), []).append(name)
        if len(parts) > 1:
            break
    return parts


def _gather(groups: dict[str, list[str]], kept: Sequence[KeptLayers]) -> list[str]:
    return [layer for one in kept for layer in groups[one.name]]


def _move(trial: Path, path: Path) -> None:
    """Move a file and those that belong to it, also across file systems."""
    import shutil

    endings = (".bin", ".xml") if path.suffix == ".xml" else (path.suffix,)
    for ending in endings:
        with tempfile.TemporaryDirectory(prefix=".hierseg-", dir=path.parent) as folder:
            part = Path(folder, "part")
            shutil.copyfile(trial.with_suffix(ending), part)
            move_into_place(part, path.with_suffix(ending))
