"""What segmenting an image will need of memory, and how it is run so that this is there.

A kernel that runs out of memory ends the process without a word, so nothing is begun that will
not fit. What a network needs a pixel is measured on a small image, by counting its tensors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hierseg.data import bring_to
from hierseg.engines import (
    LiveBytes,
    TorchEngine,
    bytes_of,
    plain_engine,
    read_free_memory,
    trim_memory,
)
from hierseg.errors import UserError, lacks_memory
from hierseg.inference.predictor import Predictor
from hierseg.inference.segmenter import Segmenter

SIDE = 128
"""Of the image that is measured on."""
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
BLENDED = 8
"""Bytes a pixel of each value that windows are blended in: its sum, and what is made of it."""
OWN = 48
"""Bytes a pixel of the image itself: pixels, labels, confidence, and the files made of them."""
USEFUL = 256
"""The shortest long edge that a larger image is run at of our own accord."""
STEP = 32


class Fit(NamedTuple):
    """How images of a size can be run.

    Attributes:
        together: How many at once; 0 where one does not fit as it was to be run.
        long_edge: The longest that one fits at then; 0 where there is none.
        tight: Whether what is freed must go back to the kernel meanwhile.
        need: Bytes for one as it was to be run.
        free: Bytes that are there.
    """

    together: int
    long_edge: int
    tight: bool
    need: float
    free: float

    def describe(self, height: int, width: int) -> str:
        """What is wanting, in words."""
        return (
            f"{height}x{width} pixels need about {self.need / 1e9:.1f} GB of memory, and "
            f"{self.free / 1e9:.1f} GB are free"
        )


class Footprint:
    """Bytes that the images of a predictor, or of a segmenter, need.

    Args:
        predictor: Nothing of it is run before it matters.
    """

    def __init__(self, predictor: Predictor | Segmenter) -> None:
        self.segmenter = predictor.segmenter if isinstance(predictor, Predictor) else predictor
        self._per_pixel: float | None = None
        self._weights = 0

    def fit(self, height: int, width: int, count: int, long_edge: int | None = None) -> Fit:
        """How so many images of a size can be run, by the memory that is free now.

        Args:
            height: Of each image.
            width: Of each image.
            count: How many there are.
            long_edge: That they are to be run at; None as the predictor has it.
        """
        size = (height, width)
        edge = self.segmenter.find_edge(height, width) if long_edge is None else long_edge
        device = self._device()
        free = read_free_memory(device)
        if count * self._need(size, edge, self._rough()) <= free:
            return Fit(count, edge, False, 0, free)
        rate = self.per_pixel()
        need = self._need(size, edge, rate)
        if count * need * (KEPT if device == "cpu" else 1) <= free:
            return Fit(count, edge, False, need, free)
        trim_memory()
        free = read_free_memory(device)
        together = min(count, int(free // need))
        if together:
            return Fit(together, edge, True, need, free)
        return Fit(0, self._find_longest(size, edge, rate, free), True, need, free)

    def per_pixel(self) -> float:
        """Bytes of tensors for each pixel that the network sees; nothing where it does not run."""
        if self._per_pixel is None:
            engine = self.segmenter.engine
            if isinstance(engine, TorchEngine):  # others keep theirs where they are not counted
                network = engine.network
                self._weights = bytes_of([*network.parameters(), *network.buffers()])
            self._per_pixel = self._measure() / SIDE**2
        return self._per_pixel

    def _measure(self) -> int:
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

    def _plain(self) -> Segmenter:
        """The segmenter without windows, by float32 torch, whose tensors can be counted; other
        engines need no more.
        """
        whole = self.segmenter.whole()
        engine = plain_engine(whole.engine)
        return Segmenter(engine, whole.options, whole.temperature, whole.keep_scales)

    def _need(self, size: tuple[int, int], edge: int, rate: float) -> float:
        at = bring_to(edge, max(size), size)
        tensors = KERNELS * (rate * at.height * at.width)
        windows = self.segmenter.windows
        if windows is not None:
            tile = windows.tiles(at)[0]
            blended = BLENDED * self._count_maps() * at.height * at.width
            tensors = KERNELS * (rate * tile.height * tile.width + blended)
        return tensors + OWN * size[0] * size[1] + self._weights + CONSTANT

    def _find_longest(self, size: tuple[int, int], edge: int, rate: float, free: float) -> int:
        """The longest edge that fits, in steps; 0 where even the smallest does not."""
        rest = free - self._need(size, 0, 0)
        if rest <= 0 or rate <= 0:
            return 0
        longer, shorter = max(size), min(size)
        if self.segmenter.windows is not None:  # their size may not depend on the image's
            edges = range(edge // STEP * STEP, STEP * longer // shorter, -STEP)
            return next((one for one in edges if self._need(size, one, rate) <= free), 0)
        longest = math.sqrt(rest / (KERNELS * rate) * longer / shorter)
        found = min(int(longest), edge) // STEP * STEP
        return found if found * shorter // longer >= STEP else 0

    def _rough(self) -> float:
        scales = self.segmenter.scales
        return ROUGH * max(1.0, sum(scale**2 for scale in scales) / ROUGH_SCALES)

    def _count_maps(self) -> int:
        """How many values a pixel are blended."""
        classes = self.segmenter.engine.num_classes
        if not self.segmenter.keep_scales:
            return classes
        return classes + len(self.segmenter.scales) * (classes + 1)

    def _device(self) -> str:
        return str(self.segmenter.engine.device)
