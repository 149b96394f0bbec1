"""RAFT (Teed and Deng, ECCV 2020), by torchvision: its networks, large and small."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.flow.network_fingerprint import fingerprint_network
from hierseg.flow.protocol import Flow, Image, Pair, check_frames
from hierseg.flow.warping import as_batch

STRIDE = 8
SMALLEST_SIDE = 128
"""The pyramid of correlations has no fourth level below that."""
RAFT_SIZES = ("large", "small")


def build_raft(size: str) -> nn.Module:
    """torchvision's RAFT with random weights, ``large`` or ``small``."""
    from torchvision.models import optical_flow

    make = {"large": optical_flow.raft_large, "small": optical_flow.raft_small}[size]
    network: nn.Module = make(weights=None, progress=False)
    return network.eval()


class RaftFlow:
    """Estimates flow by RAFT, with torchvision's 12 updates.

    Args:
        network: torchvision's network with weights, in evaluation mode.
        device: Where it lies.
    """

    name = "raft"
    needs_before = False

    def __init__(self, network: nn.Module, device: torch.device | str = "cpu") -> None:
        self.network, self.device = network, device
        self._digest = fingerprint_network(network)

    def fingerprint(self) -> str:
        """See ``FlowEstimator``."""
        return f"raft {self._digest}"

    def estimate(
        self,
        source: Image,
        target: Image,
        before: Image | None = None,
        *,
        where: Pair | None = None,
    ) -> Flow:
        """See ``FlowEstimator``."""
        check_frames(source, target)
        with torch.inference_mode():
            flow = self.network(self._prepare(target), self._prepare(source))[-1]
        height, width = target.shape[:2]
        kept = flow[0, :, :height, :width].permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(kept)

    def _prepare(self, image: Image) -> Tensor:
        """From -1 to 1, repeated at the right and below up to sides that RAFT takes."""
        height, width = image.shape[:2]
        down, right = (max(side + -side % STRIDE, SMALLEST_SIDE) - side for side in (height, width))
        given = as_batch(image).to(self.device).float() / 127.5 - 1
        return F.pad(given, (0, right, 0, down), mode="replicate")
