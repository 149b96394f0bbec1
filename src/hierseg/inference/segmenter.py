"""The one way from images to labels: an engine, run by options.

Shapes: B images of one size, K classes, H and W their size, h and w the size at which they are run.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.data import bring_to, resize_image
from hierseg.engines import Engine, ExportedEngine, TorchEngine, check_gating, expect_more
from hierseg.errors import UsageError, UserError
from hierseg.inference.deciding import count_rows, decide
from hierseg.inference.mirroring import average_mirrored, average_scales
from hierseg.inference.segmentation import Pixels, Segmentation, make_canvas, make_decided
from hierseg.inference.tiling import Mosaic, Tile, Windows
from hierseg.layers import ComputedMap, MirroredMean, RowMap, resize_map, resize_to, split_rows
from hierseg.models import DeferredOutput, SegmentationOutput
from hierseg.options import WHOLE, RunOptions, require_one
from hierseg.size import SMALLEST_SIDE, Size

OnPart = Callable[[str, int, int], object]
"""Called with the kind of part, ``"window"`` or ``"scale"``, the number done, and their total."""


class Segmenter:
    """Segments images with an engine; prediction and evaluation both use it.

    Args:
        engine: The engine that runs the network.
        options: How the network is run; checked here.
        temperature: Logits are divided by it for the confidence; None takes the weights' own.
        keep_scales: Keep each scale's attention and labels; takes more memory.
        keep_probabilities: Keep every class's softmax; takes 4 K bytes per pixel.

    Attributes:
        scales: Scales at which images are run.
        decider: The engine, if it gives labels and no logits; None if it gives logits.
        long_edge: Pixels of the longer side at which every image is run; None for no such option.
        short_edge: Pixels of the shorter side at which every image is run instead; None for no such
            option.
        longest: Longest side in pixels to which larger images are reduced; None for none.
        windows: The windows of mode slide; None for whole images.
        on_part: Called while an image is run, after each window or scale; None for no callback.

    Raises:
        UserError: Options are out of range or exclude each other, scales lack 1 for a network with
            attention over scales, or the temperature is not above 0.
    """

    def __init__(
        self,
        engine: Engine,
        options: RunOptions = WHOLE,
        temperature: float | None = None,
        keep_scales: bool = False,
        keep_probabilities: bool = False,
    ) -> None:
        self.engine, self.options = engine, options.resolve()
        averages = self.options.fusion == "average" or not engine.attends
        if self.options.fusion == "hierarchical" and averages:
            raise UsageError(
                "--fusion hierarchical is for networks with attention over scales, and this one "
                "averages them; leave it out."
            )
        if self.options.scales is not None and not averages:
            require_one(self.options.scales)
        if isinstance(engine, ExportedEngine):
            engine.check(self.options, keep_scales)
        check_gating(engine, self.options)
        self.scales = engine.scales if self.options.scales is None else self.options.scales
        self.keep_scales, self.keep_probabilities = keep_scales, keep_probabilities
        self.windows = _choose_windows(self.options)
        header, edge = engine.header, self.options.long_edge
        self.long_edge = None if edge is None or isinstance(edge, str) else int(edge)
        short = self.options.short_edge
        self.short_edge = None if short is None else int(short)
        self.longest = header.long_edge if edge == "auto" and header is not None else None
        if temperature is None:
            temperature = 1.0 if header is None else header.temperature
        given: Any = temperature
        if not (isinstance(given, numbers.Real) and 0 < float(given) < math.inf):
            raise UserError(
                f"a temperature of {given!r:.40} is not a number above 0; give one, or none."
            )
        self.temperature = float(temperature)
        self.on_part: OnPart | None = None
        self._in_windows = False
        self.decider = _find_decider(engine, self.temperature)
        if self.decider is not None:
            self.longest = None  # labels cannot be resized as logits can
            if keep_probabilities:
                raise self.decider.lacks_logits("every class's probability")

    def whole(self) -> Segmenter:
        """This segmenter without windows."""
        if self.windows is None:
            return self
        options = dataclasses.replace(self.options, mode="whole", window=None, overlap=None)
        kept = self.keep_scales, self.keep_probabilities
        return Segmenter(self.engine, options, self.temperature, *kept)

    def find_edge(self, height: int, width: int) -> int:
        """Pixels of the longer side at which an image of this size is run."""
        longer, shorter = max(height, width), min(height, width)
        if self.short_edge is not None:
            return max(bring_to(self.short_edge, shorter, (height, width)))
        if self.long_edge is not None:
            return self.long_edge
        if self.longest is None or longer <= self.longest:
            return longer
        return min(longer, max(self.longest, math.ceil(SMALLEST_SIDE * longer / shorter)))

    def find_size(self, size: Size) -> Size:
        """The size that an image of a size is run at."""
        if self.short_edge is not None:
            return bring_to(self.short_edge, min(size), size)
        return bring_to(self.find_edge(*size), max(size), size)

    @torch.inference_mode()
    def run(self, images: Sequence[Pixels], long_edge: int | None = None) -> SegmentationOutput:
        """The network's output for images of one size, at the size at which they are run.

        Args:
            images: (H, W, 3) uint8 RGB each, contiguous and writeable, all of one size.
            long_edge: Long edge in pixels for these images; None for the options'.

        Returns:
            ``logits`` (B, K, h, w); if scales are kept, also ``per_scale`` logits, and
            ``attention`` of the scales that have one. These have any size.

        Raises:
            UserError: The network cannot run such images.
        """
        tensor = self.stack(images, long_edge)
        if self.windows is None:
            return self.run_tensor(tensor)
        return _compute(self._defer_windows(tensor, self.windows))

    @torch.inference_mode()
    def defer(
        self,
        images: Sequence[Pixels],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> DeferredOutput:
        """The output of ``run``, with maps whose rows are computed when they are asked for.

        In windows, rows must be asked for from the top down, and the same rows of all maps before
        the next rows.

        Args:
            images: As of ``run``.
            long_edge: As of ``run``.
            windows: Windows for these images; None for the options'.
        """
        tensor = self.stack(images, long_edge)
        chosen = self.windows if windows is None else windows
        if chosen is None:
            return self.defer_tensor(tensor)
        return self._defer_windows(tensor, chosen)

    def stack(self, images: Sequence[Pixels], long_edge: int | None = None) -> Tensor:
        """(B, 3, h, w) uint8 on the engine's device, at the size at which the images are run."""
        size = Size(*images[0].shape[:2])
        at = self.find_size(size) if long_edge is None else bring_to(long_edge, max(size), size)
        sized = images if at == size else [resize_image(image, at) for image in images]
        stacked = np.stack(sized) if len(sized) > 1 else sized[0][None]
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).to(self.engine.device)

    def run_frame(self, images: Tensor) -> Tensor:
        """(B, K, h, w) logits for the output of ``stack``, in windows if the options ask for it."""
        if self.windows is None:
            return self.run_tensor(images).logits
        return _compute(self._defer_windows(images, self.windows)).logits

    @torch.inference_mode()
    def run_tensor(self, images: Tensor) -> SegmentationOutput:
        """The network's output for (B, 3, h, w) RGB on the engine's device, without resizing and
        windows; with flip, the mean with the output for the mirrored images.
        """
        output = self.engine.run(images, self.options, self.keep_scales)
        if not self.options.flip:
            return output
        expect_more(self.engine, len(images))
        mirrored = self.engine.run(images.flip(-1), self.options, self.keep_scales)
        return SegmentationOutput(
            average_mirrored(output.logits, mirrored.logits),
            None,
            average_scales(output.per_scale, mirrored.per_scale),
            average_scales(output.attention, mirrored.attention),
        )

    def defer_tensor(self, images: Tensor) -> DeferredOutput:
        """The output of ``run_tensor``, whose rows are computed when they are asked for."""
        output = self._ask(images)
        if not self.options.flip:
            return output
        expect_more(self.engine, len(images))
        mirrored = self._ask(images.flip(-1))

        def average(name: str) -> dict[float, RowMap] | None:
            first, second = getattr(output, name), getattr(mirrored, name)
            return first and {scale: MirroredMean(first[scale], second[scale]) for scale in first}

        logits = MirroredMean(output.logits, mirrored.logits)
        return DeferredOutput(logits, average("per_scale"), average("attention"))

    def _ask(self, images: Tensor) -> DeferredOutput:
        if isinstance(self.engine, TorchEngine):
            self.engine.on_scale = self._tell_scale
        defer = getattr(self.engine, "defer", None)
        if defer is None:
            return DeferredOutput.of(self.engine.run(images, self.options, self.keep_scales))
        output: DeferredOutput = defer(images, self.options, self.keep_scales)
        return output

    def _tell_scale(self, done: int, total: int) -> None:
        """Report the scales of an image that are done; scales of a window are not reported."""
        if self.on_part is not None and not self._in_windows:
            self.on_part("scale", done, total)

    def _defer_windows(self, images: Tensor, windows: Windows) -> DeferredOutput:
        """The output in windows, each run at all scales; all maps are blended at (h, w)."""
        size, tiles = Size(*images.shape[-2:]), windows.tiles(Size(*images.shape[-2:]))
        done = itertools.count(1)

        def give(tile: Tile) -> dict[_Key, RowMap]:
            self._in_windows = True
            try:
                output = self.defer_tensor(tile.cut(images))
            finally:
                self._in_windows = False
            if self.on_part is not None:
                self.on_part("window", next(done), len(tiles))
            maps = {_Key("logits", 1.0): output.logits}
            for name in ("per_scale", "attention"):
                found = getattr(output, name) or {}
                maps |= {_Key(name, scale): values for scale, values in found.items()}
            window, aligned = (tile.height, tile.width), self.engine.align_corners
            return {key: resize_map(values, window, aligned) for key, values in maps.items()}

        expect_more(self.engine, (len(tiles) - 1) * len(images))
        mosaic = Mosaic(size, tiles, give)

        def blended(key: _Key) -> RowMap:
            return ComputedMap(size, lambda band: mosaic.rows(key, band.top, band.bottom))

        if not self.keep_scales:
            return DeferredOutput(blended(_Key("logits", 1.0)))
        maps: dict[str, dict[float, RowMap]] = {"logits": {}, "per_scale": {}, "attention": {}}
        for key in mosaic.list_keys():
            maps[key.name][key.scale] = blended(key)
        return DeferredOutput(maps["logits"][1.0], maps["per_scale"], maps["attention"] or None)

    def logits(self, images: Sequence[Pixels], size: tuple[int, int]) -> Tensor:
        """(B, K, height, width) logits of images of one size, resized to ``size``, (height, width),
        if they are run at another; arguments and errors as of ``run``.
        """
        return self.resize_logits(self.run(images).logits, size)

    def resize_logits(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize (B, K, h, w) logits to ``size``, (height, width); unchanged if they have it."""
        if tuple(logits.shape[-2:]) == tuple(size):
            return logits
        return resize_to(logits.float(), size, self.engine.align_corners)

    @torch.inference_mode()
    def segment(
        self,
        images: Sequence[Pixels],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Segmentation]:
        """Labels and confidence of images of one size; arguments as of ``defer``.

        Raises:
            UserError: The network cannot run such images, or its outputs are not finite.
        """
        if self.decider is not None:
            return self._take_decision(self.decider, images, long_edge, windows)
        return self.read(self.defer(images, long_edge, windows), Size(*images[0].shape[:2]))

    def _take_decision(
        self,
        decider: ExportedEngine,
        images: Sequence[Pixels],
        long_edge: int | None,
        windows: Windows | None,
    ) -> list[Segmentation]:
        """The labels of an engine that gives no logits, at the images' own size."""
        if windows is not None:
            raise decider.lacks_logits("running an image in windows")
        if long_edge not in (None, max(images[0].shape[:2])):
            raise decider.lacks_logits("running an image at another size")
        found = decider.decide(self.stack(images, None))
        confidence = [None] * len(images) if found.confidence is None else found.confidence
        return [
            make_decided(labels.numpy(), None if sure is None else sure.numpy())
            for labels, sure in zip(found.labels, confidence, strict=True)
        ]

    @torch.inference_mode()
    def read(self, given: SegmentationOutput | DeferredOutput, size: Size) -> list[Segmentation]:
        """Convert the output of ``run`` or ``defer`` to labels and confidence at a size.

        Args:
            given: The output for B images; with the scales' maps if scales are kept.
            size: (H, W) of the results.

        Raises:
            UserError: The network's outputs are not finite.
        """
        output = DeferredOutput.of(given) if isinstance(given, SegmentationOutput) else given
        logits = self._at_size(output.logits, size)
        attention = self._list_deciding(output, size)
        per_scale = {
            scale: self._at_size(values, size)
            for scale, values in sorted((output.per_scale or {}).items())
        }
        images = range(len(logits.rows(0, 1)))
        kept = (attention, per_scale) if self.keep_scales else (None, None)
        classes = self.engine.num_classes if self.keep_probabilities else None
        found = [make_canvas(size, kept[0], kept[1], classes) for _ in images]
        count = count_rows(logits, len(images), self.engine.num_classes, self.engine.device)
        for band in split_rows(size, count):
            rows = slice(band.top, band.bottom)
            values = logits.rows(band.top, band.bottom)
            labels, confidence = self._decide(values)
            if not np.isfinite(confidence).all():
                raise UserError(
                    "the network's outputs are not finite (NaN or infinite); use other weights."
                )
            for index, one in enumerate(found):
                one.labels[rows], one.confidence[rows] = labels[index], confidence[index]
                if one.probabilities is not None:
                    softmax = (values[index].float() / self.temperature).softmax(0)
                    one.probabilities[:, rows] = softmax.cpu().numpy()
            for scale, weight in attention.items():
                shares = weight.rows(band.top, band.bottom)[:, 0].float().cpu().numpy()
                for one, of_image in zip(found, shares, strict=True):
                    (one.attention or {})[scale][rows] = of_image
            for scale, alone in per_scale.items():
                of_scale = alone.rows(band.top, band.bottom)
                for one, of_image in zip(found, self._decide(of_scale)[0], strict=True):
                    (one.per_scale or {})[scale][rows] = of_image
        return found

    def _list_deciding(self, output: DeferredOutput, size: Size) -> dict[float, RowMap]:
        """The attention of each scale whose attention is used. That of the largest is not, since no
        larger scale follows, nor is any if scales are averaged.
        """
        if self.options.fusion == "average":
            return {}
        largest = max(self.scales)
        return {
            scale: self._at_size(weight, size)
            for scale, weight in sorted((output.attention or {}).items())
            if scale < largest or self.engine.weighs_largest
        }

    def _decide(self, logits: Tensor) -> tuple[Pixels, npt.NDArray[np.float32]]:
        """Labels and confidence of (B, K, h, W) logits."""
        labels, confidence = decide(logits, self.temperature)
        return labels.cpu().numpy(), confidence.cpu().numpy()

    def _at_size(self, values: RowMap, size: Size) -> RowMap:
        """A map resized to a size."""
        return resize_map(values, size, self.engine.align_corners)


class _Key(NamedTuple):
    """Identifies one of a network's maps."""

    name: str
    scale: float


def _compute(output: DeferredOutput) -> SegmentationOutput:
    """Compute all rows of all maps of an output."""

    def whole(values: RowMap) -> Tensor:
        return values.rows(0, values.size.height)

    def every(maps: dict[float, RowMap] | None) -> dict[float, Tensor] | None:
        return None if maps is None else {scale: whole(one) for scale, one in maps.items()}

    return SegmentationOutput(
        whole(output.logits), None, every(output.per_scale), every(output.attention)
    )


def _find_decider(engine: Engine, temperature: float) -> ExportedEngine | None:
    """The engine if it gives labels and no logits, else None; UserError for a temperature other
    than the one that is built into the exported graph.
    """
    if not isinstance(engine, ExportedEngine) or engine.gives == "logits":
        return None
    if engine.gives == "confidence" and temperature != engine.header.temperature:
        raise engine.lacks_logits(f"a temperature of {temperature:g}")
    return engine


def _choose_windows(options: RunOptions) -> Windows | None:
    if options.mode == "whole":
        return None
    return Windows(options.window, *(() if options.overlap is None else (options.overlap,)))
