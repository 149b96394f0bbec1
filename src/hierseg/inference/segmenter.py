"""The one way from images to labels: an engine, and how it is run.

Shapes: B images of one size, K classes, H and W their size, h and w the size that they are run at.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.data import bring_to, resize_image
from hierseg.engines import Engine
from hierseg.errors import UsageError, UserError
from hierseg.inference.deciding import decide, decide_at
from hierseg.inference.tiling import Tile, Windows, blend
from hierseg.labels import LabelSpace
from hierseg.layers import resize_to
from hierseg.models import SegmentationOutput
from hierseg.options import WHOLE, RunOptions, require_one
from hierseg.size import SMALLEST_SIDE, Size

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What is made of one image; every map is of the image's size.

    Attributes:
        labels: (H, W) uint8 train ids.
        confidence: (H, W) float32 in (0, 1], the softmax of the class chosen.
        attention: Scale -> (H, W) float32 in [0, 1] of those whose attention decides; None unless
            scales are kept.
        per_scale: Scale -> (H, W) uint8 train ids by that scale alone; None likewise.
    """

    labels: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32]
    attention: dict[float, npt.NDArray[np.float32]] | None = None
    per_scale: dict[float, npt.NDArray[np.uint8]] | None = None


class Segmenter:
    """Segments images by an engine; evaluation and prediction are two callers of it.

    Args:
        engine: Runs the network.
        options: How; checked here.
        temperature: What logits are divided by for the confidence; None takes the weights' own.
        keep_scales: Keep each scale's attention and labels; takes more memory.

    Attributes:
        scales: Those that are run.
        long_edge: That every image is run at; None for its own, or for ``longest``.
        longest: Long edge that larger images alone are run at; None for none.
        windows: Those of the mode slide; None for whole images.

    Raises:
        UserError: Options that cannot be, scales without 1 of a network that decides between
            scales, or a temperature that is not above 0.
    """

    def __init__(
        self,
        engine: Engine,
        options: RunOptions = WHOLE,
        temperature: float | None = None,
        keep_scales: bool = False,
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
        self.scales = engine.scales if self.options.scales is None else self.options.scales
        self.keep_scales = keep_scales
        self.windows = _choose_windows(self.options)
        header, edge = engine.header, self.options.long_edge
        self.long_edge = None if edge is None or isinstance(edge, str) else int(edge)
        self.longest = header.long_edge if edge == "auto" and header is not None else None
        if temperature is None:
            temperature = 1.0 if header is None else header.temperature
        given: Any = temperature
        if not (isinstance(given, numbers.Real) and 0 < float(given) < math.inf):
            raise UserError(
                f"a temperature of {given!r:.40} is not above 0, or no number; give more, or none."
            )
        self.temperature = float(temperature)

    def whole(self) -> Segmenter:
        """The same without windows."""
        if self.windows is None:
            return self
        options = dataclasses.replace(self.options, mode="whole", window=None, overlap=None)
        return Segmenter(self.engine, options, self.temperature, self.keep_scales)

    def find_edge(self, height: int, width: int) -> int:
        """Pixels of the longer side that an image of a size is run at."""
        longer, shorter = max(height, width), min(height, width)
        if self.long_edge is not None:
            return self.long_edge
        if self.longest is None or longer <= self.longest:
            return longer
        return min(longer, max(self.longest, math.ceil(SMALLEST_SIDE * longer / shorter)))

    @torch.inference_mode()
    def run(self, images: Sequence[Pixels], long_edge: int | None = None) -> SegmentationOutput:
        """What the engine gives for images of one size, at the size that they are run at.

        Args:
            images: (H, W, 3) uint8 RGB each, contiguous and writeable, all of one size.
            long_edge: Of these images, instead of the options'.

        Returns:
            ``logits`` (B, K, h, w); where scales are kept, ``per_scale`` logits and ``attention``
            of all scales that have one, of any size.

        Raises:
            UserError: Images that the network cannot run.
        """
        size = Size(*images[0].shape[:2])
        edge = self.find_edge(*size) if long_edge is None else long_edge
        at = bring_to(edge, max(size), size)
        sized = images if at == size else [resize_image(image, at) for image in images]
        stacked = np.stack(sized) if len(sized) > 1 else sized[0][None]
        tensor = torch.from_numpy(stacked).permute(0, 3, 1, 2).to(self.engine.device)
        return self.run_tensor(tensor) if self.windows is None else self._run_windows(tensor)

    @torch.inference_mode()
    def run_tensor(self, images: Tensor) -> SegmentationOutput:
        """What the engine gives for (B, 3, h, w) RGB where it takes it, as it is and without
        windows; if asked for, the mean with what the mirrored images give.
        """
        output = self.engine.run(images, self.options, self.keep_scales)
        if not self.options.flip:
            return output
        mirrored = self.engine.run(images.flip(-1), self.options, self.keep_scales)
        return SegmentationOutput(
            _average(output.logits, mirrored.logits),
            None,
            _average_by_scale(output.per_scale, mirrored.per_scale),
            _average_by_scale(output.attention, mirrored.attention),
        )

    def logits(self, images: Sequence[Pixels], size: tuple[int, int]) -> Tensor:
        """(B, K, *size) logits of images of one size, resized to another where it is not the one
        that they are run at; errors as of ``run``.
        """
        return self.resize_logits(self.run(images).logits, size)

    def resize_logits(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, K, h, w) logits of ``run`` at another size; as they are where they have it."""
        return logits if tuple(logits.shape[-2:]) == tuple(size) else self._at_size(logits, size)

    def segment(self, images: Sequence[Pixels], long_edge: int | None = None) -> list[Segmentation]:
        """Labels and confidence of images of one size, as ``run`` takes them.

        Raises:
            UserError: Images that the network cannot run, or a network that gives no numbers.
        """
        return self.read(self.run(images, long_edge), images[0].shape[:2])

    def read(self, output: SegmentationOutput, size: tuple[int, int]) -> list[Segmentation]:
        """What ``run`` gives, as maps of another size.

        Args:
            output: Of B images; with each scale's where scales are kept.
            size: (H, W) of the maps.

        Raises:
            UserError: A network that gives no numbers.
        """
        labels, confidence = (one.cpu().numpy() for one in self._decide(output.logits, size))
        if not np.isfinite(confidence).all():
            raise UserError(
                "the network gives outputs that are no numbers (NaN or infinite); use other "
                "weights."
            )
        if not self.keep_scales:
            return [Segmentation(*found) for found in zip(labels, confidence, strict=True)]
        attention = {
            scale: self._at_size(weight, size)[:, 0].cpu().numpy()
            for scale, weight in self._list_deciding(output)
        }
        per_scale = {
            scale: self._decide(logits, size)[0].cpu().numpy()
            for scale, logits in sorted((output.per_scale or {}).items())
        }
        return [
            Segmentation(
                labels[index],
                confidence[index],
                {scale: weight[index] for scale, weight in attention.items()},
                {scale: found[index] for scale, found in per_scale.items()},
            )
            for index in range(len(labels))
        ]

    def _list_deciding(self, output: SegmentationOutput) -> list[tuple[float, Tensor]]:
        """The attention of each scale that decides: the largest may have one, but nothing larger
        to decide against. None does where scales are averaged.
        """
        if self.options.fusion == "average":
            return []
        largest = max(self.scales)
        return [
            (scale, weight)
            for scale, weight in sorted((output.attention or {}).items())
            if scale < largest or self.engine.weighs_largest
        ]

    def _decide(self, logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Labels and confidence, at the image's own size, of (B, K, h, w) logits."""
        if tuple(logits.shape[-2:]) == tuple(size):
            return decide(logits, self.temperature)
        return decide_at(logits, size, self.temperature, self.engine.align_corners)

    def _at_size(self, values: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, C, h, w) maps of a scale at another size, float32."""
        return resize_to(values.float(), size, self.engine.align_corners)

    def _run_windows(self, images: Tensor) -> SegmentationOutput:
        """The same by windows, each at all scales, everything of them blended at (h, w)."""
        assert self.windows is not None
        size = Size(*images.shape[-2:])
        layout: list[tuple[str, float, int]] = []

        def run(tile: Tile) -> Tensor:
            output = self.run_tensor(tile.cut(images))
            if not self.keep_scales:
                return output.logits
            parts = [("logits", 1.0, output.logits)]
            for name in ("per_scale", "attention"):
                maps: dict[float, Tensor] = getattr(output, name) or {}
                parts += [(name, scale, maps[scale]) for scale in sorted(maps)]
            layout[:] = [(name, scale, values.shape[1]) for name, scale, values in parts]
            window = (tile.height, tile.width)
            return torch.cat([self._at_size(values, window) for _, _, values in parts], dim=1)

        blended = blend(size, self.windows.tiles(size), run)
        if not self.keep_scales:
            return SegmentationOutput(blended)
        found: dict[str, dict[float, Tensor]] = {"logits": {}, "per_scale": {}, "attention": {}}
        pieces = torch.split(blended, [channels for _, _, channels in layout], dim=1)
        for (name, scale, _), piece in zip(layout, pieces, strict=True):
            found[name][scale] = piece
        return SegmentationOutput(
            found["logits"][1.0], None, found["per_scale"], found["attention"] or None
        )


def choose_label_space(engine: Engine, space: LabelSpace | None) -> LabelSpace:
    """The label space that is given, else the weights'; UserError where it has other classes than
    the engine, or there is none.
    """
    if space is None and engine.header is None:
        raise UserError(
            "this network comes from no checkpoint, so its label space is unknown; load one, or "
            "give the label space."
        )
    chosen = space if space is not None or engine.header is None else engine.header.label_space
    if not isinstance(chosen, LabelSpace):
        raise UserError(f"{chosen!r:.100} is no label space; give hierseg.labels.CITYSCAPES, say.")
    if chosen.num_classes != engine.num_classes:
        raise UserError(
            f"label space '{chosen.name}' has {chosen.num_classes} classes and the network "
            f"{engine.num_classes}; give the label space that the network was trained with."
        )
    return chosen


def _choose_windows(options: RunOptions) -> Windows | None:
    if options.mode == "whole":
        return None
    return Windows(options.window, *(() if options.overlap is None else (options.overlap,)))


def _average(first: Tensor, mirrored: Tensor) -> Tensor:
    """Mean of a (..., W) map and of one computed from the mirrored image."""
    return (first + mirrored.flip(-1)).mul_(0.5)


def _average_by_scale(
    first: dict[float, Tensor] | None, mirrored: dict[float, Tensor] | None
) -> dict[float, Tensor] | None:
    if first is None or mirrored is None:
        return None
    return {scale: _average(first[scale], mirrored[scale]) for scale in first}
