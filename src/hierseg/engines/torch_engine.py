"""The engine that runs a network's modules as they are."""

from __future__ import annotations

import hashlib
import os
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from hierseg.checkpoint import Header, place_network
from hierseg.engines.gated import check_gating, run_gated
from hierseg.engines.protocol import Engine, ScaleRunner
from hierseg.errors import UserError
from hierseg.models import CONVENTIONS, ScaleOutput, SegmentationNetwork, SegmentationOutput
from hierseg.options import RunOptions


class TorchEngine:
    """Runs a network's modules one after the other.

    It says what its network says, which may be no more than a module with ``num_classes``,
    ``scales`` and ``align_corners``.

    Args:
        network: Put into evaluation mode, and on ``device``.
        device: Where to run; None leaves the network where it is.
        runner: Computes each scale instead of the network's modules; None for these, in the
            precision that they have.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        device: str | torch.device | None = None,
        runner: ScaleRunner | None = None,
    ) -> None:
        self.network = network.eval() if device is None else place_network(network.eval(), device)
        self.runner = runner

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
        return fingerprint(self.network)

    @torch.inference_mode()
    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """See ``Engine``."""
        if options.gates and options.budget != 1:
            check_gating(self, options)
            compute = self.compute_scale if self.runner is None else self.runner.run_scale
            return run_gated(self.network, images, options, keep_scales, compute).finish()
        if self.runner is not None:
            scales = self.scales if options.scales is None else options.scales
            return self.network.run_scales(images, scales, keep_scales, self.runner.run_scale)
        output: SegmentationOutput = self.network(
            images, scales=options.scales, keep_scales=keep_scales
        )
        return output._replace(auxiliary=None)

    def compute_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """One scale by the network's modules, as ``ScaleRunner.run_scale``."""
        return self.network.forward_scale(image, regions, attention=attention)


def as_engine(
    network: SegmentationNetwork | Engine, device: str | torch.device | None = None
) -> Engine:
    """What runs a network: an engine as it is, on its own device; UserError for what is neither."""
    given: Any = network
    is_module = isinstance(given, nn.Module)
    if is_module and hasattr(given, "num_classes"):
        return TorchEngine(given, device)
    if not is_module and all(hasattr(given, name) for name in ("run", "fingerprint", "scales")):
        engine: Engine = given
        return engine
    name = repr(str(given)) if isinstance(given, str | os.PathLike) else ""
    raise UserError(f"{given!r:.200} is no network; give hierseg.load_model({name}).")


def fingerprint(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell a network's weights from others, and how it normalises
    and resizes where that is not its builder's own way.
    """
    digest = hashlib.sha256()
    arguments = getattr(network, "builder_arguments", {})
    for name in CONVENTIONS:
        if arguments.get(name):  # not align_corners=False, which is everyone's
            digest.update(f"{name} {arguments[name]}".encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
