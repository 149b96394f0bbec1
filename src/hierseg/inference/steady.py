"""Steady video: what is known of the last frame, moved by the flow, joins in.

Shapes: K classes, h and w the size that frames are run at, N tiles of the largest scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

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
"""Weight of the moved logits where flow and colours agree wholly."""
FAILING = 0.05
"""Share of a tile's pixels whose colours do not agree, from which on it is computed anew."""
OLDEST = 8
"""Frames after which a tile is computed anew whatever agrees: what is moved often is blurred."""
STANDS = 0.8
"""Weight of the moved logits against those of the smaller scales where no tile is run."""
RAMP = 17
"""Pixels over which a tile that is computed anew fades into what is around it."""


class _Moved(NamedTuple):
    """What is known of the last frame, moved by the flow.

    Attributes:
        logits: (1, K, h, w).
        confidence: (1, 1, h, w) in [0, 1]: of the way there and back, and the colours.
        alike: (1, 1, h, w) in [0, 1]: of the colours alone. Where there is no texture the way back
            misses, and yet nothing has changed.
    """

    logits: Tensor
    confidence: Tensor
    alike: Tensor


class Steadier:
    """Segments the frames of a clip in order.

    With ``blend`` every frame is run whole, and its logits are joined with the moved ones of the
    last frame by a weight from how well both frames agree. With ``reuse`` the largest scale is run
    on those tiles alone where their colours do not agree, or which have not been run for some
    frames; elsewhere the moved logits stand, or the smaller scales' where these fail the check.

    Args:
        segmenter: Runs the frames.
        estimator: Of the flow between them.
        mode: blend or reuse.

    Attributes:
        shares: Of each frame since ``reset``, the share of the tiles that were run; 1 for a frame
            that was run whole.

    Raises:
        UsageError: ``reuse`` of a network whose attention does not decide between scales, or with
            options that run frames in another way.
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
        self.segmenter, self.estimator, self.mode = segmenter, estimator, mode
        if mode == "reuse":
            _require_tiles(segmenter.engine, segmenter)
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: another clip begins."""
        self._frames: list[tuple[Pixels, str]] = []
        self._logits: Tensor | None = None
        self._ages: Tensor | None = None
        self.shares: list[float] = []

    @torch.inference_mode()
    def segment(self, pixels: Pixels, name: str = "") -> Segmentation:
        """Labels and confidence of the next frame.

        Args:
            pixels: (H, W, 3) uint8 RGB, contiguous.
            name: Of the frame, for flow that is looked up by names.
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
        """What is known of the last frame, moved; None where nothing is."""
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
        # Where nothing is computed anew the moved logits stand, as far as they are to be trusted.
        stands = STANDS * (2 * confidence / PASSES - 1).clamp(0, 1)
        return torch.lerp(fresh, moved, share * weight + (1 - share) * stands)

    def _choose(self, run: GatedRun, alike: Tensor) -> Tensor:
        """(1, N) bool: which tiles are run."""
        layout = run.layout
        if self._ages is None:  # not all of them in one frame
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
    """UsageError where the largest scale cannot be run by tiles."""
    options = segmenter.options
    for flag, given in (
        ("--flip", options.flip),
        ("--mode slide", options.mode == "slide"),
        ("--budget", options.budget is not None),
        ("--gate", options.gate is not None),
    ):
        if given:
            raise UsageError(f"--steady reuse chooses itself what is run; leave out {flag}.")
    if not isinstance(engine, TorchEngine):
        raise UsageError(
            "--steady reuse is for networks whose scales are run one by one, and an exported graph "
            "runs all; give --steady alone, or other weights."
        )
    check_gating(engine, RunOptions(scales=segmenter.scales, budget=1.0), "--steady reuse")


def _spread(run: GatedRun, chosen: Tensor, like: Tensor) -> Tensor:
    """(1, 1, h, w) in [0, 1]: how far each pixel is of a tile that was run."""
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
    """A predictor of the frames of one clip, which it is given in order.

    Args:
        network: As of ``Predictor``.
        estimator: Of the flow between frames.
        mode: blend or reuse, as of ``Steadier``.
        label_space: As of ``Predictor``.
        options: As of ``Predictor``.

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
        """How frames are joined, for resuming: ``blend dis ...``."""
        return f"{self.steadier.mode} {self.steadier.estimator.fingerprint()}"

    def _segment(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        long_edge: int | None = None,
        windows: Windows | None = None,
    ) -> list[Segmentation]:
        if long_edge is not None or windows is not None:  # for want of memory
            self.steadier.reset()
            return super()._segment(images, long_edge, windows)
        return [self.steadier.segment(image) for image in images]
