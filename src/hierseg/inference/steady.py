"""Steady video: the last frame's logits, warped by optical flow, are joined with the new frame's.

Shapes: K classes, h and w the size at which frames are run, N tiles of the largest scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hierseg.engines import Engine, GatedRun, TorchEngine, check_gating
from hierseg.errors import UsageError
from hierseg.flow import PASSES, FlowEstimator, Pair, check_flow, warp
from hierseg.inference.predictor import Predictor
from hierseg.inference.segmentation import Segmentation
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.tiling import Windows
from hierseg.labels import LabelSpace
from hierseg.models import SegmentationNetwork, SegmentationOutput
from hierseg.options import RunOptions
from hierseg.size import Size

SteadyMode = Literal["blend", "reuse"]
Pixels = npt.NDArray[np.uint8]

MOST = 0.6
"""Weight of the warped logits if flow and colours agree fully."""
FAILING = 0.05
"""A tile is run again if the colours of more than this share of its pixels disagree."""
OLDEST = 8
"""Frames after which a tile is run again in any case, since repeated warping blurs."""
STANDS = 0.8
"""Weight of the warped logits against those of the smaller scales where no tile is run."""
RAMP = 17
"""Pixels over which a tile that was run fades into its surroundings."""


class _Moved(NamedTuple):
    """The last frame's logits, warped by the flow, and how far they can be trusted.

    Attributes:
        logits: (1, K, h, w) float logits.
        confidence: (1, 1, h, w) in [0, 1]: agreement of forward and backward flow and of colours.
        alike: (1, 1, h, w) in [0, 1]: agreement of colours alone. Without texture the flow cannot
            be checked, though nothing may have changed.
    """

    logits: Tensor
    confidence: Tensor
    alike: Tensor


class Steadier:
    """Segments the frames of a clip in order.

    With ``blend`` every frame is run whole, and its logits are averaged with the last frame's
    warped logits, weighted by how well the two frames agree. With ``reuse`` the largest scale is
    run only on tiles whose colours disagree, or that have not been run for ``OLDEST`` frames;
    elsewhere the warped logits are kept, or the smaller scales' logits where the flow fails the
    check.

    Args:
        segmenter: The segmenter that runs the frames.
        estimator: The estimator of the flow between frames.
        mode: ``"blend"`` or ``"reuse"``.

    Attributes:
        shares: For each frame since ``reset`` the share of tiles that were run, in [0, 1]; 1 for a
            frame that was run whole.

    Raises:
        UsageError: The mode is unknown, the segmenter keeps scales or probabilities, or ``reuse``
            is given for a network without hierarchical attention or with options that run frames in
            another way.
    """

    def __init__(
        self, segmenter: Segmenter, estimator: FlowEstimator, mode: SteadyMode = "blend"
    ) -> None:
        if segmenter.keep_scales or segmenter.keep_probabilities:
            raise UsageError(
                "steady video keeps no single scales; leave attention and scales out of --save."
            )
        if segmenter.decider is not None:
            raise segmenter.decider.lacks_logits("steady video")
        if mode not in get_args(SteadyMode):
            raise UsageError(f"--steady {mode!s:.40} is none of {', '.join(get_args(SteadyMode))}.")
        self.segmenter, self.estimator, self.mode = segmenter, estimator, mode
        if mode == "reuse":
            _require_tiles(segmenter.engine, segmenter)
        self.reset()

    def reset(self) -> None:
        """Forget the last frame, since another clip begins."""
        self._frames: list[tuple[Pixels, str]] = []
        self._logits: Tensor | None = None
        self._ages: Tensor | None = None
        self.shares: list[float] = []

    @torch.inference_mode()
    def segment(self, pixels: Pixels, name: str = "") -> Segmentation:
        """Labels and confidence of the next frame.

        Args:
            pixels: (H, W, 3) uint8 RGB, contiguous.
            name: Name of the frame, for an estimator that looks flow up by names.
        """
        tensor = self.segmenter.stack([pixels])
        frame = np.ascontiguousarray(tensor[0].permute(1, 2, 0).cpu().numpy())
        if self._frames and self._frames[-1][0].shape != frame.shape:
            self.reset()
        found = self._compare(frame, name)
        if found is None:
            logits = self.segmenter.run_frame(tensor).float()
            self.shares.append(1.0)
            self._ages = None
        else:
            logits = self._join(tensor, found)
        self._frames = [*self._frames[-1:], (frame, name)]
        self._logits = logits
        return self.segmenter.read(SegmentationOutput(logits), Size(*pixels.shape[:2]))[0]

    def _compare(self, frame: Pixels, name: str) -> _Moved | None:
        """The last frame's logits, warped to this frame; None if there is no last frame, or if the
        estimator needs one before it and there is none.
        """
        if self._logits is None:
            return None
        last, last_name = self._frames[-1]
        before: tuple[Pixels, str] | tuple[None, None] = (None, None)
        back = None
        if self.estimator.needs_before:
            if len(self._frames) < 2:
                return None
            before = self._frames[-2]
        else:
            back = self.estimator.estimate(frame, last, where=Pair(name, last_name))
        flow = self.estimator.estimate(
            last, frame, before[0], where=Pair(last_name, name, before[1])
        )
        device = self._logits.device
        moving = torch.from_numpy(flow.transpose(2, 0, 1)[None].copy()).to(device)
        confidence, alike = (
            torch.from_numpy(check_flow(last, frame, flow, way))[None, None].to(device)
            for way in (back, None)
        )
        return _Moved(warp(self._logits, moving), confidence, alike)

    def _join(self, tensor: Tensor, last: _Moved) -> Tensor:
        moved, confidence = last.logits, last.confidence
        weight = MOST * ((confidence - PASSES) / (1 - PASSES)).clamp(0, 1)
        if self.mode == "blend":
            self.shares.append(1.0)
            return torch.lerp(self.segmenter.run_frame(tensor).float(), moved, weight)
        engine: Any = self.segmenter.engine
        run: GatedRun = engine.begin_gated(tensor, self.segmenter.options)
        chosen = self._choose(run, last.alike)
        fresh = run.complete(chosen).finish().logits.float()
        share = _spread(run, chosen, fresh)
        # Outside the tiles that were run, the warped logits are kept as far as they can be trusted.
        stands = STANDS * (2 * confidence / PASSES - 1).clamp(0, 1)
        return torch.lerp(fresh, moved, share * weight + (1 - share) * stands)

    def _choose(self, run: GatedRun, alike: Tensor) -> Tensor:
        """(1, N) bool: which tiles are run."""
        layout = run.layout
        if self._ages is None:  # staggered, so that not all tiles are due in one frame
            self._ages = torch.arange(layout.count, device=alike.device)[None] % OLDEST
        fails = layout.average((alike < PASSES).float())
        self._ages = self._ages + 1
        chosen = (fails > FAILING) | (self._ages >= OLDEST)
        if float(chosen.sum()) * layout.cost >= 1:
            chosen = torch.ones_like(chosen)
        self._ages = torch.where(chosen, 0, self._ages)
        self.shares.append(float(chosen.float().mean()))
        return chosen


def _require_tiles(engine: Engine, segmenter: Segmenter) -> None:
    """UsageError if the largest scale cannot be run on single tiles."""
    options = segmenter.options
    for flag, given in (
        ("--flip", options.flip),
        ("--mode slide", options.mode == "slide"),
        ("--budget", options.budget is not None),
        ("--gate", options.gate is not None),
    ):
        if given:
            raise UsageError(f"--steady reuse chooses the tiles to run; leave out {flag}.")
    if not isinstance(engine, TorchEngine):
        raise UsageError(
            "--steady reuse needs a network whose scales can be run one by one, and an exported "
            "graph runs all at once; give --steady blend, or other weights."
        )
    check_gating(engine, RunOptions(scales=segmenter.scales, budget=1.0), "--steady reuse")


def _spread(run: GatedRun, chosen: Tensor, like: Tensor) -> Tensor:
    """(1, 1, h, w) in [0, 1]: 1 in tiles that were run, 0 outside, with smooth borders."""
    layout, (height, width) = run.layout, like.shape[-2:]
    share = like.new_zeros(1, 1, height, width)
    down, right = height / layout.size.height, width / layout.size.width
    for tile in chosen[0].nonzero()[:, 0].tolist():
        row, column = layout.spans(tile)
        rows = slice(round(row.low * down), round(row.high * down))
        columns = slice(round(column.low * right), round(column.high * right))
        share[..., rows, columns] = 1
    return F.avg_pool2d(share, RAMP, 1, RAMP // 2, count_include_pad=False)


class SteadyPredictor(Predictor):
    """A predictor for the frames of one clip, which it must be given in order.

    Args:
        network: As of ``Predictor``.
        estimator: The estimator of the flow between frames.
        mode: ``"blend"`` or ``"reuse"``, as of ``Steadier``.
        label_space: As of ``Predictor``.
        options: As of ``Predictor``.

    Raises:
        UserError: As of ``Predictor`` and ``Steadier``.

    Example:
        steady = SteadyPredictor("streetlite", DisFlow())
        for prediction in steady.stream("drive.mp4"):
            print(prediction.time, prediction.class_shares())
    """

    def __init__(
        self,
        network: SegmentationNetwork | Engine | str | None,
        estimator: FlowEstimator,
        mode: SteadyMode = "blend",
        label_space: LabelSpace | None = None,
        options: RunOptions | None = None,
    ) -> None:
        super().__init__(network, label_space=label_space, options=options)
        self.steadier = Steadier(self.segmenter, estimator, mode)

    def describe_steady(self) -> str:
        """Mode and estimator, such as ``blend dis ...``; a resumed run must have the same."""
        return f"{self.steadier.mode} {self.steadier.estimator.fingerprint()}"

    def _segment(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Segmentation]:
        if long_edge is not None or windows is not None:  # since memory is short
            self.steadier.reset()
            return super()._segment(images, long_edge, windows)
        return [self.steadier.segment(image) for image in images]
