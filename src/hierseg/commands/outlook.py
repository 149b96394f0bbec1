"""The line before a long run: weights, device, engine, images, expected time and memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.volume import is_quiet, remark
from hierseg.options import RunOptions, show_scales
from hierseg.processes import count_processes, own_rank
from hierseg.size import Size
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.engines import Engine
    from hierseg.inference import Segmenter
    from hierseg.models import SegmentationNetwork

MANY = 8
"""Images from which on time and memory are estimated; fewer are done soon."""
SAMPLED = 8
"""Images whose sizes are looked at."""


class Outlook:
    """Says in one line what is about to run.

    Args:
        name: Name of the weights.
        segmenter: Runs the images; it is not changed.
        here: Whether images are run in this process, not by workers.
        at: Gives the size that an image is run at; None if the segmenter decides it.
    """

    def __init__(
        self,
        name: str,
        segmenter: Segmenter,
        here: bool = True,
        at: Callable[[Size], Size] | None = None,
    ) -> None:
        self.name, self.segmenter, self.here, self._at = name, segmenter, here, at

    def say(self, images: Sequence[Path]) -> None:
        """Print the line for images; nothing if there are none, or with ``-q``."""
        if images and not is_quiet() and own_rank() == 0:
            remark(self.describe(_read_sizes(images), len(images)))

    def say_frames(self, size: Size, number: int | None) -> None:
        """Print the line for the frames of a video; None if their number is unknown."""
        if not is_quiet() and own_rank() == 0:
            remark(self.describe([size], number, "frame"))

    def describe(self, sizes: Sequence[Size], number: int | None, noun: str = "image") -> str:
        """The line for ``number`` images, of which some have these sizes."""
        typical = sorted(sizes, key=lambda one: one.height * one.width)[len(sizes) // 2 :][:1]
        is_long = bool(typical) and (number is None or number >= MANY)
        engine, seconds, memory = self._foresee(typical, sizes, is_long)
        what = f"{noun}s" if number is None else count(number, noun)
        if typical:
            what += f" of {'about ' if len(set(sizes)) > 1 else ''}{typical[0]}"
        line = f"{self.describe_way(engine)}: {what}"
        needs = []
        if seconds is not None and number is not None:
            needs.append(describe_time(seconds * number / count_processes()))
        if memory is not None:
            needs.append(f"{memory / 2**30:.1f} GB of memory")
        return f"{line}, about {' and '.join(needs)}" if needs else line

    def describe_way(self, engine: str | None = None) -> str:
        """Weights, classes, device, engine, scales and what else is done with an image.

        Args:
            engine: Engine and precision; None for what is asked for.
        """
        segmenter = self.segmenter
        classes = count(segmenter.engine.num_classes, "class", "classes")
        by = self._name_engine() if engine is None else engine
        how = f"{by} at scales {show_scales(segmenter.scales)}"
        how += ", with the mirrored image" if segmenter.options.flip else ""
        how += f", by {segmenter.windows.describe()}" if segmenter.windows is not None else ""
        gate = segmenter.options.describe_gate()
        how += f", {gate}" if gate else ""
        return f"{self.name}, {classes}, on {segmenter.engine.device.type} by {how}"

    def _name_engine(self) -> str:
        """What is asked for, or was chosen already."""
        from hierseg.engines import describe_engine

        options = self.segmenter.options
        asked = "the fastest engine" if options.engine == "auto" else options.engine
        said = " ".join(one for one in (asked, options.precision) if one)
        return describe_engine(self.segmenter.engine) or said or "torch float32"

    def _foresee(
        self, typical: Sequence[Size], sizes: Sequence[Size], is_long: bool
    ) -> tuple[str, float | None, float | None]:
        """What will run, the seconds of one image, and bytes for the largest."""
        from hierseg.engines import foresee

        segmenter = self.segmenter
        if not (is_long and self.here):
            return self._name_engine(), None, None
        [size] = typical
        ran = self._bring(size)
        foreseen = foresee(segmenter.engine, ran, segmenter.scales)
        largest = max(sizes, key=lambda one: one.height * one.width)
        seconds = None if foreseen.rate is None else foreseen.rate * self._count_pixels(ran)
        return foreseen.engine, seconds, self._estimate_memory(self._bring(largest))

    def _estimate_memory(self, ran: Size) -> float | None:
        """Bytes of the process, on a GPU of what is there, while images of a size are run; None
        where that is not known.
        """
        from hierseg.engines import ExportedEngine, TorchEngine, read_resident
        from hierseg.inference import Footprint

        engine = self.segmenter.engine
        if not isinstance(engine, TorchEngine | ExportedEngine):
            return None
        try:
            footprint = Footprint(self.segmenter).estimate(ran)
        except Exception:  # what is only told is no reason to end; the images say what is wrong
            return None
        return footprint + (read_resident() if engine.device.type == "cpu" else 0)

    def _bring(self, size: Size) -> Size:
        """The size that an image is run at."""
        return self.segmenter.find_size(size) if self._at is None else self._at(size)

    def _count_pixels(self, ran: Size) -> float:
        """Pixels that are run of an image: windows overlap, and a budget leaves a share."""
        segmenter, options = self.segmenter, self.segmenter.options
        windows = segmenter.windows
        pixels = float(ran.height * ran.width)
        if windows is not None:
            pixels = float(sum(tile.height * tile.width for tile in windows.tiles(ran)))
        return pixels * (2 if options.flip else 1) * (options.budget or 1.0)


def say_outlook(
    name: str,
    network: SegmentationNetwork | Engine,
    how: RunOptions,
    dataset: SegmentationDataset,
    limit: int | None,
) -> None:
    """Say what is about to run over a split, whose images come at the size that they are run at."""
    if is_quiet() or own_rank() > 0:
        return
    from hierseg.engines import ExportedEngine, as_engine, open_engine
    from hierseg.inference import Segmenter

    plain = as_engine(network)
    # What is asked for by name is not made twice: that may take a minute.
    is_made = isinstance(plain, ExportedEngine) or "auto" in (how.engine, how.precision)
    engine = open_engine(network, how) if is_made else plain
    here = is_made or not (how.engine or how.precision)
    segmenter = Segmenter(engine, how)
    at = getattr(dataset, "run_size", None)
    samples = dataset.samples if limit is None else dataset.samples[:limit]
    Outlook(name, segmenter, here, at).say([sample.image for sample in samples])


def describe_time(seconds: float) -> str:
    """A time to be waited for, in words: ``3 min``."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 10 else f"{hours} h"


def _read_sizes(images: Sequence[Path]) -> list[Size]:
    """Sizes of some of the images, those that can be read."""
    from hierseg.data import read_image_header
    from hierseg.errors import UserError

    sizes = []
    for path in images[:: max(1, len(images) // SAMPLED)][:SAMPLED]:
        try:
            sizes.append(Size(*read_image_header(path).size))
        except (UserError, OSError):  # which will be said of the image in its turn
            continue
    return sizes
