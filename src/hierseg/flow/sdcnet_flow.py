"""SDC-Net as an estimator: real frames, padded, and the flow that goes in beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from hierseg.flow.network_fingerprint import fingerprint_network
from hierseg.flow.protocol import Flow, FlowError, FlowEstimator, Image, Pair, check_frames
from hierseg.flow.sdcnet import STRIDE, SdcNet


class SdcNetFlow:
    """Estimates flow by SDC-Net (METHOD section 8).

    Args:
        network: The network, in evaluation mode, on its device.
        inputs: Estimates the flow that the network takes in.
    """

    name = "sdcnet"
    needs_before = True

    def __init__(self, network: SdcNet, inputs: FlowEstimator) -> None:
        self.network, self.inputs = network, inputs
        self._digest = fingerprint_network(network)

    def fingerprint(self) -> str:
        """See ``FlowEstimator``."""
        form = self.network.form
        return f"sdcnet {form} {self._digest} {self.inputs.fingerprint()}"

    def estimate(
        self,
        source: Image,
        target: Image,
        before: Image | None = None,
        *,
        where: Pair | None = None,
    ) -> Flow:
        """See ``FlowEstimator``; the prediction form does not look at the target."""
        if before is None:
            raise FlowError(
                "SDC-Net needs the frame before the source, and there is none; give another "
                "estimator, such as dis."
            )
        check_frames(source, target, before)
        images = [before, source, target][: self.network.frames]
        flows = [self._input_flow(before, source, where)]
        if self.network.frames == 3:
            flows.append(_known(self.inputs.estimate(source, target, where=where)))
        device = self.network.mean.device
        with torch.inference_mode():
            flow = self.network(
                stack_frames([pad_image(image) for image in images])[None].float().to(device),
                stack_frames([pad_flow(flow) for flow in flows])[None].to(device),
            )
        height, width = target.shape[:2]
        kept = flow[0, :, :height, :width].permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(kept)

    def _input_flow(self, before: Image, source: Image, where: Pair | None) -> Flow:
        names = None
        if where is not None and where.before is not None:
            names = Pair(where.before, where.source)
        return _known(self.inputs.estimate(before, source, where=names))


def stack_frames(arrays: Sequence[npt.NDArray[np.generic]]) -> torch.Tensor:
    """(N, C, H, W) of N arrays (H, W, C)."""
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def pad_image(image: Image) -> Image:
    """Reflected at the right and below, to sides that are multiples of 64."""
    down, right = (-side % STRIDE for side in image.shape[:2])
    return np.pad(image, ((0, down), (0, right), (0, 0)), mode="reflect")


def pad_flow(flow: Flow) -> Flow:
    """``pad_image`` for a flow: what moves to the right moves to the left in a mirror."""
    height, width = flow.shape[:2]
    padded = np.pad(flow, ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0)), mode="reflect")
    padded[:, width:, 0] *= -1
    padded[height:, :, 1] *= -1
    return padded


def _known(flow: Flow) -> Flow:
    """With stillness where a flow is not known: the network takes numbers alone."""
    return np.nan_to_num(flow)
