"""A graph in int8: which layers are quantised is found by measuring what each costs."""

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
"""Images by which ranges are measured, at most."""
JUDGED = 4
"""Further ones, by which it is judged what layers cost."""
GOAL = 0.995
"""Share of equal labels from which on no layer is left in float32."""
MOST_KEPT = 1 / 3
"""Of the groups of layers, those that are left so at most: more would win no time."""
GROUPS = 14
"""Groups of layers, at most: each is tried once."""
LEAST_GAIN = 1e-4
"""Share of the labels that a group has to win."""
Labels = Sequence[npt.NDArray[np.uint8]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class KeptLayers:
    """A group of layers that is left in float32.

    Attributes:
        name: What the names of its layers begin with.
        layers: How many it has.
        gain: Share of the labels that it wins by itself.
    """

    name: str
    layers: int
    gain: float


@dataclass(frozen=True)
class Quantisation:
    """How a graph was quantised.

    Attributes:
        tool: What quantised it.
        measured: Images by which ranges were measured, and
        judged: by which layers were judged.
        source: Where they are from.
        layers: Layers in all.
        agreement: Share of labels equal to float32's over the images judged, as it is written, and
        agreement_of_all: with all layers in int8.
        kept: Layers left in float32, those that win most first.
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
        """All of it, as JSON holds it."""
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
    """Write a network as a graph in int8; the file appears whole, or stays as it was.

    Args:
        network: As of ``write_graph``, and
        header: likewise.
        path: The file.
        options: With int8 as its precision.
        images: Such as the network will see, two or more; the last ``JUDGED`` judge.
        source: Where they are from, for the report.
        say: Told what is being done.

    Returns:
        What was quantised and what was not.

    Raises:
        UsageError: Options that cannot be.
        UserError: What is needed is not installed, too few images, or the tool fails.
    """
    tell = say or (lambda _: None)
    options.check(path)
    if options.part == "scale":
        raise UsageError("--precision int8 is judged by labels, and --part scale gives none.")
    require_quantiser(options.format)
    if len(images) < 2:
        raise UserError(f"{source} has one image; int8 needs two at least, and better twenty.")
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
    """Finds the layers that lose most in int8.

    Each group of layers is left in float32 once, all others in int8; those that win most labels
    back stay so, until enough labels are equal.

    Args:
        quantiser: That has measured its ranges.
        folder: For trials.
        images: By which is judged.
        say: Told what is being done.

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
        """What is left in float32; the share of equal labels without that, and with it.

        The trial's file is then the graph that is wanted.
        """
        self.say("quantising")
        whole = self._try(())
        if whole >= GOAL:
            return [], whole, whole
        groups = group_layers(list(self.quantiser.layers))
        found = []
        for number, (name, layers) in enumerate(groups.items(), 1):
            self.say(f"looking for layers that lose most, {number} of {len(groups)}")
            found.append(KeptLayers(name, len(layers), self._try(layers) - whole))
        found.sort(key=lambda one: -one.gain)
        most = max(1, int(len(groups) * MOST_KEPT))
        kept: list[KeptLayers] = []
        final = whole
        for one in found:
            if final >= GOAL or one.gain < LEAST_GAIN or len(kept) >= most:
                break
            tried = self._try(_gather(groups, [*kept, one]))
            if tried - final < LEAST_GAIN:  # what it won, others have won already
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
    """Layers by what their names begin with: groups as small as so many allow.

    Args:
        layers: Names such as ``trunk.blocks.0.conv``.
        most: Groups at most.

    Returns:
        The beginning that a group's names share -> its layers.
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
    """By the next parts of their names, as many as it takes to tell some apart."""
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
    """Bring a file, and what belongs to it, to where it is wanted; across file systems too."""
    import shutil

    endings = (".bin", ".xml") if path.suffix == ".xml" else (path.suffix,)
    for ending in endings:
        with tempfile.TemporaryDirectory(prefix=".hierseg-", dir=path.parent) as folder:
            part = Path(folder, "part")
            shutil.copyfile(trial.with_suffix(ending), part)
            move_into_place(part, path.with_suffix(ending))
