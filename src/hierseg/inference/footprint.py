"""Estimates the memory that segmenting an image needs, and finds a way to run it that fits.

The operating system kills a process that runs out of memory, so a run that will not fit is not
started. The memory of a network per pixel is measured by counting its tensors: on a small image,
and for large images, whose head is computed in bands of rows, on fake tensors (without data).
"""

from __future__ import annotations

import math
import time
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
"""Side in pixels of the small image on which memory is measured."""
LARGE = 1024
"""Side in pixels of the image of fake tensors on which memory for large images is measured."""
SMALL = 512 * 512
"""Most pixels of an image for which the measure on the small image holds."""
ROUGH = 16384
"""Bytes per pixel that are more than any usual network needs; if these fit, nothing is measured."""
ROUGH_SCALES = 5.25
"""Sum of the squares of the scales (0.5, 1, 2) for which ``ROUGH`` holds."""
KERNELS = 1.15
"""Factor on the tensors' bytes for temporary memory of the libraries."""
CONSTANT = 96 * 2**20
"""Further bytes of the libraries, including threads and code."""
KEPT = 1.75
"""Factor on the tensors' bytes if the C library keeps freed memory."""
BANDS = 6
"""Number of maps of all classes, each a band of rows, held at once while a band is fused and
decided."""
WAITING = 2
"""Rows of windows whose maps are held, at the network's stride, until they are blended."""
OWN = 5
"""Bytes per pixel of labels and confidence; as many again for each scale that is kept."""
FILES = 12
"""Bytes per pixel for writing the outputs after the network has run, without the image itself."""
STEP = 32
"""Step in pixels between long edges that are tried."""
SIDES = (*range(4096, 2047, -512), *range(1792, 1023, -256), *range(896, 511, -128), 448, 384, 320,
         256, 192, 128)  # fmt: skip
"""Sides in pixels of windows that are tried; the first that fits is taken."""
LATELY = 0.5
"""Seconds for which a reading of free memory holds if images need at most half of it."""
MARGIN = 128
"""Fewest pixels by which two such windows overlap."""


class Fit(NamedTuple):
    """How images of a size can be run in the free memory.

    Attributes:
        together: Number of images that fit at once; 0 if one does not fit.
        long_edge: Long edge in pixels at which one image fits; 0 if none does.
        tight: Whether freed memory must be returned to the operating system during the run.
        need: Bytes for one image; 0 if the rough estimate fitted.
        free: Free bytes.
        windows: If one image does not fit, windows in which it fits at its full size; None if none.
    """

    together: int
    long_edge: int
    tight: bool
    need: float
    free: float
    windows: Windows | None = None

    def describe(self, height: int, width: int) -> str:
        """How much memory an image needs and how much is free, in words."""
        return (
            f"{height}x{width} pixels need about {self.need / 1e9:.1f} GB of memory, and "
            f"{self.free / 1e9:.1f} GB are free"
        )


class Runs(Protocol):
    """Anything with a segmenter, such as a predictor."""

    segmenter: Segmenter


class Footprint:
    """Estimates the memory that a predictor or a segmenter needs for images.

    Args:
        predictor: The predictor or segmenter. Its network is measured only when the memory is
            scarce.
    """

    def __init__(self, predictor: Runs | Segmenter) -> None:
        self.segmenter = predictor if isinstance(predictor, Segmenter) else predictor.segmenter
        self._rates: dict[bool, float] = {}
        self._weights = 0
        self._free, self._read_at = 0.0, -math.inf

    def fit(self, height: int, width: int, count: int, long_edge: int | None = None) -> Fit:
        """How images of a size can be run in the memory that is free now.

        Args:
            height: Height of each image in pixels.
            width: Width of each image in pixels.
            count: Number of images.
            long_edge: Long edge in pixels at which they are run; None for the segmenter's.
        """
        size = Size(height, width)
        edge = self.segmenter.find_edge(height, width) if long_edge is None else long_edge
        windows = self.segmenter.windows
        rough = count * self._need(size, edge, windows, self._rough())
        free = self._read_free(rough)
        if rough <= free:
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
        """Bytes for one image of a size, run as the segmenter runs it."""
        return self._need(size, self.segmenter.find_edge(*size), self.segmenter.windows)

    def per_pixel(self, at: Size) -> float:
        """Bytes of tensors per pixel of the network's input, for inputs of about a size; 0 if the
        network cannot run the small image.
        """
        is_large = at.height * at.width > SMALL
        if is_large not in self._rates:
            engine: Any = self.segmenter.engine
            network: Any = getattr(engine, "network", None)
            if isinstance(engine, TorchEngine):  # weights of other engines cannot be counted
                self._weights = bytes_of([*network.parameters(), *network.buffers()])
            if is_large and isinstance(network, SegmentationNetwork):
                self._rates[True] = self._measure_large(network) / LARGE**2
            elif is_large:
                self._rates[True] = self.per_pixel(Size(SIDE, SIDE))
            else:
                self._rates[False] = self._measure() / SIDE**2
        return self._rates[is_large]

    def _measure(self) -> int:
        if isinstance(self.segmenter.engine, ExportedEngine):  # has no tensors to count
            return int(self.segmenter.engine.bytes_per_pixel * SIDE**2)
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        try:
            with LiveBytes() as live:
                self._plain().segment([image], SIDE)
        except (UserError, MemoryError, RuntimeError) as error:
            if lacks_memory(error):
                return int(self._rough()) * SIDE**2
            if not isinstance(error, UserError):  # running the image itself will raise it again
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
        """The segmenter without windows, on an engine whose tensors can be counted."""
        whole, engine = self.segmenter.whole(), self.segmenter.engine
        runner = getattr(engine, "runner", None)
        if not isinstance(engine, TorchEngine) or (runner is not None and runner.name == "torch"):
            return whole
        plain = TorchEngine(engine.network)
        return Segmenter(plain, whole.options, whole.temperature, whole.keep_scales)

    def _need(
        self, size: Size, edge: int, windows: Windows | None, rate: float | None = None
    ) -> float:
        """Bytes for one image of a size, run at a long edge, in windows or whole; ``rate`` replaces
        the measured bytes per pixel.
        """
        at = Size(*bring_to(edge, max(size), size))
        tile = at if windows is None else Size(*windows.tiles(at)[0][2:])
        tensors = (self.per_pixel(tile) if rate is None else rate) * tile.height * tile.width
        kept = self._count_values() * min(at.height, WAITING * tile.height) * at.width
        resized = 0 if at == size else 3 * at.height * at.width
        row = 4 * self.segmenter.engine.num_classes * size.width
        bands: float = BANDS * min(row * size.height, max(BAND_BYTES, FEWEST_ROWS * row))
        if windows is None:  # the maps are counted among the tensors
            kept, bands = 0.0, max(0.0, bands - tensors)
        maps = 1 + (len(self.segmenter.scales) if self.segmenter.keep_scales else 0)
        pixels = size.height * size.width
        running = KERNELS * (tensors + kept + bands) + resized
        own = maps * OWN * pixels
        if self.segmenter.keep_probabilities:
            own += row * size.height
        return max(running, FILES * pixels) + own + self._weights + CONSTANT

    def _find_windows(self, size: Size, edge: int, free: float) -> Windows | None:
        """The largest windows in which an image fits. A part as large as two windows must fit whole
        too, for ``measure_agreement``.
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
        """The longest edge that fits, in multiples of ``STEP``; 0 if even the smallest does not."""
        longer, shorter = max(size), min(size)
        for one in range(edge // STEP * STEP, STEP * longer // shorter - 1, -STEP):
            if self._need(size, one, self.segmenter.windows) <= free:
                return one
        return 0

    def _read_free(self, need: float = math.inf) -> float:
        """Free bytes, limited by the memory that the options allow.

        Reading takes milliseconds, so the last reading holds for a while if it is twice ``need``.
        """
        if 2 * need > self._free or time.monotonic() > self._read_at + LATELY:
            most = self.segmenter.options.memory
            self._free = read_room(self._device(), None if most is None else float(most))
            self._read_at = time.monotonic()
        return self._free

    def _rough(self) -> float:
        scales = self.segmenter.scales
        return ROUGH * max(1.0, sum(scale**2 for scale in scales) / ROUGH_SCALES)

    def _count_values(self) -> float:
        """Bytes per pixel of the maps of all scales before fusion, at a stride of 4."""
        each = 4 * (self.segmenter.engine.num_classes + 1) / 16
        scales = sum(scale**2 for scale in self.segmenter.scales)
        return each * scales * (2 if self.segmenter.options.flip else 1)

    def _device(self) -> str:
        return str(self.segmenter.engine.device)
