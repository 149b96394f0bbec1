"""Runs the largest scale only on the tiles where it may change the labels.

Fusion is linear: where the next lower scale's attention is 1, larger scales have no weight,
whatever their logits are. So the result is the full fusion with that attention replaced by
1 - m (1 - a), where m is 1 on the tiles that were run, 0 away from them, and falls off beside a
tile (METHOD section 2, Gated scales).

Shape letters: B batch, N tiles of an image, K classes, h and w of maps at the network's stride.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from hierseg.engines.gated_tiles import Joined, Layout, lay_tiles
from hierseg.errors import UsageError
from hierseg.layers import resize_to, scaled_size
from hierseg.models import (
    BenefitGate,
    Evidence,
    FusionRun,
    HierarchicalFusion,
    ScaleOutput,
    SegmentationNetwork,
    gather_evidence,
    join_clues,
)
from hierseg.options import RunOptions, check_scales, show_scales
from hierseg.size import Size

TOGETHER = 8
"""Tiles that a GPU runs at once; a CPU runs one at a time, which fits its caches."""


class ComputeScale(Protocol):
    """Runs one scale, as ``ScaleRunner.run_scale`` does."""

    def __call__(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """See there."""


def check_gating(engine: Any, options: RunOptions, flag: str = "") -> None:
    """UsageError if the options ask for a gated largest scale and it cannot be gated.

    Args:
        engine: A TorchEngine; no other engine can gate.
        options: The resolved options.
        flag: The flag that asks for it, if that is neither ``--budget`` nor ``--gate``.
    """
    if not options.gates:
        return
    flag = flag or ("--budget" if options.budget is not None else "--gate")
    network: Any = getattr(engine, "network", None)
    if not isinstance(getattr(network, "fusion", None), HierarchicalFusion):
        raise UsageError(
            f"{flag} is for hierarchical networks, whose attention decides between each scale and "
            "the larger ones, and this is none; leave it out, or give other weights."
        )
    if options.fusion == "average":
        raise UsageError(
            f"{flag} needs attention between scales, and --fusion average ignores it; leave one of "
            "the two out."
        )
    scales = sorted(engine.scales if options.scales is None else options.scales)
    if len(scales) < 2:
        raise UsageError(
            f"{flag} chooses where the largest of several scales is run, and there is one scale; "
            "give --scales 0.5 1, say, or leave it out."
        )
    if options.gate_by == "learned" and network.gate is None:
        raise UsageError(
            "--gate-by learned needs weights with a gate, and these have none; fit one with "
            "`hierseg fit-gate`, or give --gate-by disagreement."
        )
    if options.gate_by == "disagreement" and len(scales) < 3:
        raise UsageError(
            "--gate-by disagreement compares two scales below the largest, and there is one; give "
            "--gate-by product."
        )
    least = sum(scale**2 for scale in scales[:-1]) / sum(scale**2 for scale in scales)
    if options.budget is not None and options.budget < least:
        raise UsageError(
            f"--budget {options.budget:g} is less than the {least:.3g} that scales "
            f"{show_scales(scales[:-1])} take alone; give a larger one, or --scales "
            f"{show_scales(scales[:-1])}."
        )


def run_gated(
    network: SegmentationNetwork,
    images: Tensor,
    options: RunOptions,
    keep_scales: bool,
    compute: ComputeScale,
) -> FusionRun:
    """Run the smaller scales whole and the largest on some tiles, without fusing them.

    Args:
        network: A hierarchical network.
        images: (B, 3, H, W) as ``SegmentationNetwork`` takes them.
        options: Options with a budget or gate that ``check_gating`` allows.
        keep_scales: As in ``Engine.run``. Where the largest scale was not run, its logits are those
            of the next lower scale, whose attention is 1 there.
        compute: Runs one scale.
    """
    scales = network.scales if options.scales is None else options.scales
    gated = GatedRun(network, images, scales, compute)
    if options.gate_by == "random":
        values = draw_values(images, gated.layout)
    else:
        values = value_tiles(gated.layout, gated.evidence, options.gate_by, network.gate)
    return gated.complete(choose_tiles(values, gated.layout, gated.sizes, options), keep_scales)


class GatedRun:
    """One batch of images of which all scales but the largest have been run.

    Args:
        network: A hierarchical network.
        images: (B, 3, H, W) as ``SegmentationNetwork`` takes them.
        scales: Two or more scales.
        compute: Runs one scale.

    Attributes:
        sizes: Size of the images at each scale, ascending.
        layout: The tiles of the largest scale.
        outputs: Scale -> its output, for all but the largest.
        evidence: The evidence of these outputs.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        images: Tensor,
        scales: Sequence[float],
        compute: ComputeScale,
    ) -> None:
        self.network, self.compute = network, compute
        *smaller, self.largest = sorted(check_scales(scales))
        self.smaller = smaller
        self._image, self._size = network.prepare(images, (*smaller, self.largest))
        self.sizes = [scaled_size(self._size, scale) for scale in (*smaller, self.largest)]
        self.layout = lay_tiles(self.sizes[-1], tuple(network.trunk.strides))
        self.outputs = {
            scale: compute(resize_to(self._image, size, network.align_corners), True)
            for scale, size in zip(smaller, self.sizes, strict=False)
        }
        self.evidence = gather_evidence(
            [self.outputs[scale] for scale in smaller], network.align_corners
        )

    def complete(self, chosen: Tensor, keep_scales: bool = False) -> FusionRun:
        """Run the chosen tiles of the largest scale; the result can then be fused.

        Args:
            chosen: (B, N) bool, the tiles to run.
            keep_scales: As in ``Engine.run``.
        """
        align, below = self.network.align_corners, self.smaller[-1]
        image = resize_to(self._image, self.layout.size, align)
        lower = self.outputs[below]
        logits, share = _run_tiles(image, lower, self.layout, chosen, self.compute, align)
        outputs = {
            **self.outputs,
            below: _close(lower, share, align),
            self.largest: ScaleOutput(logits, None, None, None, None),
        }
        run = self.network.fusion.begin(
            self._size, list(outputs), align_corners=align, keep=keep_scales
        )
        while (wanted := run.next()) is not None:
            run.add(wanted, outputs.pop(wanted)._replace(auxiliary=None, features=None))
        return run


def value_tiles(
    layout: Layout, evidence: Evidence, by: str, gate: BenefitGate | None = None
) -> Tensor:
    """(B, N) worth of each tile by a gate, named as in the options; not for the random gate."""
    return layout.average(_map_values(evidence, by, gate))


def _map_values(evidence: Evidence, by: str, gate: BenefitGate | None) -> Tensor:
    """(B, 1, h, w) values of a gate."""
    if by in ("auto", "learned") and gate is not None and evidence.features is not None:
        values: Tensor = gate(join_clues(evidence))
        return values
    if by == "learned":
        raise UsageError(
            "--gate-by learned needs the network's features, which this engine does not give; give "
            "--engine torch, or --gate-by disagreement."
        )
    if by == "weight":
        return evidence.weight
    if by == "entropy":
        return evidence.entropy
    if by in ("auto", "disagreement") and evidence.disagreement is not None:
        return evidence.disagreement
    return evidence.entropy * evidence.weight


def draw_values(images: Tensor, layout: Layout) -> Tensor:
    """(B, N) random values in [0, 1); they depend on the image alone, not on its batch."""
    drawn = []
    for image in images:
        seed = zlib.crc32(image.contiguous().cpu().numpy().tobytes())
        drawn.append(torch.rand(layout.count, generator=torch.Generator().manual_seed(seed)))
    return torch.stack(drawn).to(images.device)


def choose_tiles(
    values: Tensor, layout: Layout, sizes: Sequence[Size], options: RunOptions
) -> Tensor:
    """(B, N) bool: the tiles to run; all tiles of an image if it is cheaper whole.

    Args:
        values: (B, N) worth of each tile.
        layout: The tiles of the largest scale.
        sizes: Size of the image at each scale, ascending.
        options: Options with the budget, which each image has for itself, or the gate.
    """
    if options.budget is None:
        assert options.gate is not None
        chosen = values > options.gate
        whole = chosen.sum(dim=1) * layout.cost >= 1
        return chosen | whole[:, None]
    if options.budget == 1:
        return torch.ones_like(values, dtype=torch.bool)
    pixels = [height * width for height, width in sizes]
    left = (options.budget * sum(pixels) - sum(pixels[:-1])) / pixels[-1]
    number = min(max(0, math.floor(left / layout.cost + 1e-9)), layout.count)
    best = values.argsort(dim=1, descending=True, stable=True)[:, :number]
    return torch.zeros_like(values, dtype=torch.bool).scatter_(1, best, True)


def _run_tiles(
    image: Tensor,
    lower: ScaleOutput,
    layout: Layout,
    chosen: Tensor,
    compute: ComputeScale,
    align_corners: bool,
) -> tuple[Tensor, Tensor]:
    """Logits of the largest scale, (B, K, h, w), and its share m in [0, 1], (B, 1, h, w).

    Args:
        image: (B, 3, *layout.size) normalised.
        lower: Output of the next lower scale. The tiles use its region vectors, so that their
            context is that of the whole image; its logits fill the rest.
        layout: The tiles.
        chosen: (B, N) bool.
        compute: Runs one scale.
        align_corners: Whether maps are resized with aligned corners.
    """
    whole = chosen.all(dim=1)
    pieces = (chosen & ~whole[:, None]).nonzero().tolist()
    joined = Joined(layout, len(image))
    if pieces:
        padded, together = layout.pad(image), 1 if image.device.type == "cpu" else TOGETHER
        for some in (pieces[i : i + together] for i in range(0, len(pieces), together)):
            windows = torch.cat([layout.cut(padded[index, None], tile) for index, tile in some])
            regions = None
            if lower.regions is not None:
                regions = lower.regions[[index for index, _ in some]]
            for (index, tile), logits in zip(
                some, compute(windows, False, regions).logits, strict=True
            ):
                joined.add(index, tile, logits.float())
    full = compute(image[whole], False).logits.float() if bool(whole.any()) else None
    if full is None and not pieces:
        return lower.logits.float(), torch.zeros_like(lower.logits[:, :1], dtype=torch.float32)
    grid = joined.grid() if full is None else (full.shape[-2], full.shape[-1])
    found = resize_to(lower.logits.float(), grid, align_corners)
    share = torch.zeros_like(found[:, :1])
    if pieces:
        found, share = joined.finish(found)
    if full is not None:
        found[whole], share[whole] = full, 1
    return found, share


def _close(lower: ScaleOutput, share: Tensor, align_corners: bool) -> ScaleOutput:
    """The output of the next lower scale with its attention raised to 1 - m (1 - a)."""
    assert lower.attention is not None
    attention = lower.attention.float()
    size = (attention.shape[-2], attention.shape[-1])
    share = resize_to(share, size, align_corners)
    return lower._replace(attention=1 - share * (1 - attention))
