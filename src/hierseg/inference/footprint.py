"""What segmenting an image will need of memory, and how it is run so that this is there.

A kernel that runs out of memory ends the process without a word, so nothing is begun that will
not fit. What a network needs a pixel is measured by counting its tensors: on a small image, and, of
large ones, whose head is computed in bands, on one without numbers.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from hierseg.data import bring_to
from hierseg.engines import (
    ExportedEngine,
    LiveBytes,
    TorchEngine,
    bytes_of,
    read_room,
    trim_memory,
)
from hierseg.errors import UserError, lacks_memory
from hierseg.inference.deciding import BAND_BYTES, FEWEST_ROWS
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.tiling import Windows
from hierseg.models import SegmentationNetwork
from hierseg.size import SMALLEST_SIDE, Size

SIDE = 128
"""Of the image that is measured on."""
LARGE = 1024
"""Side of the image without numbers that large ones are measured by, and"""
SMALL = 512 * 512
"""pixels up to which the small one says enough."""
ROUGH = 16384
"""Bytes a pixel that no usual network needs: what fits with these is not measured."""
ROUGH_SCALES = 5.25
"""The sum of the squares of the scales (0.5, 1, 2) that those are for."""
KERNELS = 1.15
"""What libraries need beside the tensors, as a factor, and"""
CONSTANT = 96 * 2**20
"""in bytes, threads and code included."""
KEPT = 1.75
"""How many times the tensors' bytes stay taken where the C library keeps what is freed."""
BANDS = 6
"""How many maps of a band of all classes are there at once while it is fused and decided."""
WAITING = 2
"""Rows of windows whose maps wait, at the network's own stride, to be blended."""
OWN = 5
"""Bytes a pixel of labels and confidence, the same again for each scale that is kept, and"""
FILES = 12
"""of what is written of them, once the network has run; the image itself is there already."""
STEP = 32
SIDES = (*range(4096, 2047, -512), *range(1792, 1023, -256), *range(896, 511, -128), 448, 384, 320,
         256, 192, 128)  # fmt: skip
"""Of the windows that an image is divided into: the first that fits."""
MARGIN = 128
"""Pixels, at least, that two such windows both see."""


class Fit(NamedTuple):
    """How images of a size can be run.

    Attributes:
        together: How many at once; 0 where one does not fit as it was to be run.
        long_edge: The longest that one fits at then; 0 where there is none.
        windows: By which one fits then, at the size that it was to be run at; None for none.
        tight: Whether what is freed must go back to the kernel meanwhile.
        need: Bytes for one as it was to be run.
        free: Bytes that are there.
    """

    together: int
    long_edge: int
    tight: bool
    need: float
    free: float
    windows: Windows | None = None

    def describe(self, height: int, width: int) -> str:
        """What is wanting, in words."""
        return (
            f"{height}x{width} pixels need about {self.need / 1e9:.1f} GB of memory, and "
            f"{self.free / 1e9:.1f} GB are free"
        )


class Runs(Protocol):
    """What has a segmenter, as a predictor."""

    segmenter: Segmenter


class Footprint:
    """Bytes that the images of a predictor, or of a segmenter, need.

    Args:
        predictor: Nothing of it is run before it matters.
    """

    def __init__(self, predictor: Runs | Segmenter) -> None:
        self.segmenter = predictor if isinstance(predictor, Segmenter) else predictor.segmenter
        self._rates: dict[bool, float] = {}
        self._weights = 0

    def fit(self, height: int, width: int, count: int, long_edge: int | None = None) -> Fit:
        """How so many images of a size can be run, by the memory that is free now.

        Args:
            height: Of each image.
            width: Of each image.
            count: How many there are.
            long_edge: That they are to be run at; None as the predictor has it.
        """
        size = Size(height, width)
        edge = self.segmenter.find_edge(height, width) if long_edge is None else long_edge
        windows = self.segmenter.windows
        free = self._read_free()
        if count * self._need(size, edge, windows, self._rough()) <= free:
            return Fit(count, edge, False, 0, free)
        need = self._need(size, edge, windows)
        if count * need * (KEPT if self._device() == "cpu" else 1) <= free:
            return Fit(count, edge, False, need, free)
        trim_memory()
        free = self._read_free()
        together = min(count, int(free // need))
        if together:
            return Fit(together, edge, True, need, free)
        found = self._find_windows(size, edge, free)
        return Fit(0, self._find_longest(size, edge, free), True, need, free, found)

    def estimate(self, size: Size) -> float:
        """Bytes for one image of a size, run as the segmenter would."""
        return self._need(size, self.segmenter.find_edge(*size), self.segmenter.windows)

    def per_pixel(self, at: Size) -> float:
        """Bytes of tensors for each pixel that the network sees in images of about a size; nothing
        where it does not run.
        """
        is_large = at.height * at.width > SMALL
        if is_large not in self._rates:
            engine: Any = self.segmenter.engine
            network: Any = getattr(engine, "network", None)
            if isinstance(engine, TorchEngine):  # others keep theirs where they are not counted
                self._weights = bytes_of([*network.parameters(), *network.buffers()])
            if is_large and isinstance(network, SegmentationNetwork):
                self._rates[True] = self._measure_large(network) / LARGE**2
            elif is_large:
                self._rates[True] = self.per_pixel(Size(SIDE, SIDE))
            else:
                self._rates[False] = self._measure() / SIDE**2
        return self._rates[is_large]

    def _measure(self) -> int:
        if isinstance(self.segmenter.engine, ExportedEngine):  # which has no tensors to count
            return int(self.segmenter.engine.bytes_per_pixel * SIDE**2)
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        try:
            with LiveBytes() as live:
                self._plain().segment([image], SIDE)
        except (UserError, MemoryError, RuntimeError) as error:
            if lacks_memory(error):
                return int(self._rough()) * SIDE**2
            if not isinstance(error, UserError):  # which will be said of the image itself
                raise
        return int(live.peak)

    def _measure_large(self, network: SegmentationNetwork) -> int:
        device = next(iter(network.parameters())).device
        with (
            warnings.catch_warnings(),
            FakeTensorMode(allow_non_fake_inputs=True),
            torch.inference_mode(),
            LiveBytes() as live,
        ):
            warnings.simplefilter("ignore")
            image = torch.empty(1, 3, LARGE, LARGE, dtype=torch.uint8, device=device)
            output = self._plain().defer_tensor(image)
            output.logits.rows(0, FEWEST_ROWS)
        return int(live.peak)

    def _plain(self) -> Segmenter:
        """The segmenter without windows, by an engine whose tensors can be counted."""
        whole, engine = self.segmenter.whole(), self.segmenter.engine
        runner = getattr(engine, "runner", None)
        if not isinstance(engine, TorchEngine) or (runner is not None and runner.name == "torch"):
            return whole
        plain = TorchEngine(engine.network)
        return Segmenter(plain, whole.options, whole.temperature, whole.keep_scales)

    def _need(
        self, size: Size, edge: int, windows: Windows | None, rate: float | None = None
    ) -> float:
        """Bytes for one image of a size, run at a long edge, by windows or whole."""
        at = Size(*bring_to(edge, max(size), size))
        tile = at if windows is None else Size(*windows.tiles(at)[0][2:])
        tensors = (self.per_pixel(tile) if rate is None else rate) * tile.height * tile.width
        kept = self._count_values() * min(at.height, WAITING * tile.height) * at.width
        resized = 0 if at == size else 3 * at.height * at.width
        row = 4 * self.segmenter.engine.num_classes * size.width
        bands: float = BANDS * min(row * size.height, max(BAND_BYTES, FEWEST_ROWS * row))
        if windows is None:  # the maps are among the tensors
            kept, bands = 0.0, max(0.0, bands - tensors)
        maps = 1 + (len(self.segmenter.scales) if self.segmenter.keep_scales else 0)
        pixels = size.height * size.width
        running = KERNELS * (tensors + kept + bands) + resized
        own = maps * OWN * pixels
        if self.segmenter.keep_probabilities:
            own += row * size.height
        return max(running, FILES * pixels) + own + self._weights + CONSTANT

    def _find_windows(self, size: Size, edge: int, free: float) -> Windows | None:
        """The largest windows by which an image can be run, and a part of it of almost two of them
        whole, so that the two can be compared.
        """
        at = Size(*bring_to(edge, max(size), size))
        given = self.segmenter.windows
        largest = at if given is None else Size(*given.tiles(at)[0][2:])
        for side in SIDES:
            window = Size(min(side, largest.height), min(side, largest.width))
            if window == largest or min(window) < SMALLEST_SIDE:
                continue
            windows = Windows(window, min(0.5, MARGIN / min(window)))
            both = 2 * self.per_pixel(window) * window.height * window.width
            part = self._need(size, edge, None, both / (at.height * at.width))
            if max(part, self._need(size, edge, windows)) <= free:
                return windows
        return None

    def _find_longest(self, size: Size, edge: int, free: float) -> int:
        """The longest edge that fits, in steps; 0 where even the smallest does not."""
        longer, shorter = max(size), min(size)
        for one in range(edge // STEP * STEP, STEP * longer // shorter - 1, -STEP):
            if self._need(size, one, self.segmenter.windows) <= free:
                return one
        return 0

    def _read_free(self) -> float:
        """Bytes that are free, and that the options leave."""
        most = self.segmenter.options.memory
        return read_room(self._device(), None if most is None else float(most))

    def _rough(self) -> float:
        scales = self.segmenter.scales
        return ROUGH * max(1.0, sum(scale**2 for scale in scales) / ROUGH_SCALES)

    def _count_values(self) -> float:
        """Bytes a pixel of what waits to be fused, at a quarter of the sides, of all scales."""
        each = 4 * (self.segmenter.engine.num_classes + 1) / 16
        scales = sum(scale**2 for scale in self.segmenter.scales)
        return each * scales * (2 if self.segmenter.options.flip else 1)

    def _device(self) -> str:
        return str(self.segmenter.engine.device)
