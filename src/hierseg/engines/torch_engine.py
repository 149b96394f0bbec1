"""The engine that runs a network's modules as they are."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from hierseg.checkpoint import Header, place_network
from hierseg.engines.fingerprints import fingerprint
from hierseg.engines.gated import GatedRun, check_gating, run_gated
from hierseg.engines.protocol import Engine, ScaleRunner
from hierseg.errors import UsageError, UserError
from hierseg.models import (
    AverageFusion,
    DeferredOutput,
    Fusion,
    FusionRun,
    HierarchicalFusion,
    Passed,
    ScaleOutput,
    SegmentationNetwork,
    SegmentationOutput,
)
from hierseg.options import RunOptions


class TorchEngine:
    """Runs a network's modules one after the other.

    Its properties are the network's. The network may be any module with ``num_classes``, ``scales``
    and ``align_corners``.

    Args:
        network: Put into evaluation mode, and on ``device``.
        device: Where to run; None leaves the network where it is.
        runner: Computes each scale instead of the network's modules; None for these, in the
            precision that they have.

    Attributes:
        on_scale: Told how many scales of an image are done, and of how many; None for nobody.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        device: str | torch.device | None = None,
        runner: ScaleRunner | None = None,
    ) -> None:
        self.network = network.eval() if device is None else place_network(network.eval(), device)
        self.runner = runner
        self.on_scale: Callable[[int, int], object] | None = None

    @property
    def header(self) -> Header | None:
        """See ``Engine``."""
        header = self.network.header
        return header if isinstance(header, Header) else None

    @property
    def num_classes(self) -> int:
        """See ``Engine``."""
        return self.network.num_classes

    @property
    def scales(self) -> tuple[float, ...]:
        """See ``Engine``."""
        return self.network.scales

    @property
    def device(self) -> torch.device:
        """See ``Engine``."""
        tensors = chain(self.network.parameters(), self.network.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    @property
    def attends(self) -> bool:
        """See ``Engine``."""
        fusion = getattr(self.network, "fusion", None)
        return fusion is None or bool(fusion.attends)

    @property
    def weighs_largest(self) -> bool:
        """See ``Engine``."""
        return self.network.weighs_largest

    @property
    def align_corners(self) -> bool:
        """See ``Engine``."""
        return self.network.align_corners

    def fingerprint(self) -> str:
        """See ``Engine``."""
        return self.weights if self.runner is None else f"{self.weights} {describe(self.runner)}"

    @cached_property
    def weights(self) -> str:
        """Sixteen hexadecimal digits that identify the weights."""
        return fingerprint(self.network)

    @torch.inference_mode()
    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """See ``Engine``."""
        if options.gates and options.budget != 1:
            return self._gate(images, options, keep_scales).finish()
        if self.runner is not None or options.fusion is not None:
            return self._add_scales(images, options, keep_scales).finish()
        output: SegmentationOutput = self.network(
            images, scales=options.scales, keep_scales=keep_scales
        )
        return output._replace(auxiliary=None)

    @torch.inference_mode()
    def defer(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> DeferredOutput:
        """The result of ``run``, fused row by row when rows are asked for."""
        given: Any = self.network
        if not isinstance(given, SegmentationNetwork):
            return DeferredOutput.of(self.run(images, options, keep_scales))
        self.prepare(images, options)
        if options.gates and options.budget != 1:
            return self._gate(images, options, keep_scales).defer()
        return self._add_scales(images, options, keep_scales).defer()

    def prepare(self, images: Tensor, options: RunOptions) -> None:
        """Choose the runner of these images; here there is no choice."""

    @torch.inference_mode()
    def begin_gated(self, images: Tensor, options: RunOptions) -> GatedRun:
        """Run all scales but the largest, of which it is still to be said which tiles are run.

        Args:
            images: As of ``run``.
            options: Of these the scales count.
        """
        self.prepare(images, options)
        scales = self.scales if options.scales is None else options.scales
        compute = self.compute_scale if self.runner is None else self.runner.run_scale
        return GatedRun(self.network, self._lay_out(images), scales, compute)

    def _gate(self, images: Tensor, options: RunOptions, keep_scales: bool) -> FusionRun:
        """Run the largest scale on some tiles, and the others whole."""
        check_gating(self, options)
        compute = self.compute_scale if self.runner is None else self.runner.run_scale
        return run_gated(self.network, self._lay_out(images), options, keep_scales, compute)

    def _add_scales(self, images: Tensor, options: RunOptions, keep_scales: bool) -> FusionRun:
        """Run each scale, without fusing them."""
        scales = self.scales if options.scales is None else options.scales
        fusion = choose_fusion(self.network, options)
        compute = self._compute if self.runner is None else self.runner.run_scale
        done, on_scale = itertools.count(1), self.on_scale

        def told(*given: Any, **named: Any) -> ScaleOutput:
            output = compute(*given, **named)
            if on_scale is not None:
                on_scale(next(done), len(scales))
            return output

        by_modules = self.runner is None
        laid_out = self._lay_out(images)
        return self.network.add_scales(laid_out, scales, keep_scales, told, by_modules, fusion)

    def _lay_out(self, images: Tensor) -> Tensor:
        """Images in the memory format in which they are normalised and resized fastest; a runner
        brings each scale to its own.
        """
        return images if self.runner is None else images.contiguous()

    def _compute(self, image: Tensor, attention: bool, passed: Passed | None = None) -> ScaleOutput:
        output = self.network.forward_scale(image, attention=attention, passed=passed)
        return output._replace(auxiliary=None)

    def compute_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """One scale by the network's modules, as ``ScaleRunner.run_scale``."""
        wants_features = True if self.network.gate is not None else None
        return self.network.forward_scale(
            image, regions, attention=attention, features=wants_features
        )


def choose_fusion(network: SegmentationNetwork, options: RunOptions) -> Fusion | None:
    """The fusion that ``options.fusion`` names; None for the network's own.

    Raises:
        UsageError: Hierarchical fusion is asked of a network that is not hierarchical.
    """
    if options.fusion is None:
        return None
    if options.fusion == "average":
        return AverageFusion() if network.fusion.attends else None
    if not isinstance(network.fusion, HierarchicalFusion):
        raise UsageError(
            "--fusion hierarchical needs a hierarchical network, and this is none; leave it out."
        )
    return None


def as_engine(
    network: SegmentationNetwork | Engine, device: str | torch.device | None = None
) -> Engine:
    """The engine of a network; an engine itself, on its own device. UserError for anything else."""
    given: Any = network
    is_module = isinstance(given, nn.Module)
    if is_module and hasattr(given, "num_classes"):
        return TorchEngine(given, device)
    if not is_module and all(hasattr(given, name) for name in ("run", "fingerprint", "scales")):
        engine: Engine = given
        return engine
    name = repr(str(given)) if isinstance(given, str | os.PathLike) else ""
    raise UserError(f"{given!r:.200} is not a network; give hierseg.load_model({name}).")


def describe(runner: ScaleRunner) -> str:
    """A runner's engine and precision: ``openvino bf16``."""
    return f"{runner.name} {runner.precision}"
