"""The exported module: a network from pixels to labels.

Shape letters: B batch, K classes, C channels of the head, H and W the image's size, h and w its
size at a scale and the network's stride.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.engines import prepare_network
from hierseg.layers import resize_to, scaled_size
from hierseg.models import Passed, ScaleOutput, SegmentationNetwork
from hierseg.size import Size


class PixelsToLabels(nn.Module):
    """A network from pixels to labels: normalising, resizing, scales, attention and fusion.

    Args:
        network: The network; a copy with folded batch norms is used.
        scales: The scales to run.
        output: ``"labels"``, ``"confidence"`` or ``"logits"``, as in ``ExportOptions``.
        temperature: Logits are divided by it for the confidence.
        half: Whether convolutions are in 16 bits; resizing and fusion stay in 32.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        scales: Sequence[float],
        output: str = "labels",
        temperature: float = 1.0,
        half: bool = False,
    ) -> None:
        super().__init__()
        self.network = prepare_network(network)
        self.network.gate = None
        self.scales, self.output, self.temperature = tuple(scales), output, temperature
        self.half_precision = half
        self.names = ["labels", *([] if output == "labels" else [output])]
        if half:
            halve(self.network)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Segment images.

        Args:
            image: (B, 3, H, W) uint8 RGB, H and W at least 32.

        Returns:
            (B, H, W) uint8 train ids; with ``output`` ``"confidence"`` also their (B, H, W) float32
            confidence in (0, 1], with ``"logits"`` also the (B, K, H, W) float32 logits.
        """
        run = self.network.add_scales(image, self.scales, False, self._compute, takes_passed=True)
        logits = run.finish().logits
        labels = logits.argmax(dim=1).to(torch.uint8)
        if self.output == "labels":
            return (labels,)
        if self.output == "logits":
            return labels, logits
        return labels, (logits / self.temperature).softmax(dim=1).amax(dim=1)

    def _compute(self, image: Tensor, attention: bool, passed: Passed | None = None) -> ScaleOutput:
        if self.half_precision:
            image = image.half()
            passed = None if passed is None else Passed(*(part.half() for part in passed))
        output = self.network.forward_scale(image, attention=attention, passed=passed)
        return output._replace(auxiliary=None)


class PixelsToScale(nn.Module):
    """One scale of a network, to be fused elsewhere.

    Args:
        network: The network; a copy with folded batch norms is used.
        scale: Scale of the image.
        half: Whether convolutions are in 16 bits.
    """

    def __init__(self, network: SegmentationNetwork, scale: float, half: bool = False) -> None:
        super().__init__()
        self.network = prepare_network(network)
        self.scale, self.half_precision = scale, half
        self.names = ["logits", *([] if network.attention is None else ["attention"]), "features"]
        if half:
            halve(self.network)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs of a scale, at the network's own stride, in float32.

        Args:
            image: (B, 3, H, W) uint8 RGB, of the size of the whole image.

        Returns:
            (B, K, h, w) logits; (B, 1, h, w) attention in (0, 1), if each scale of the network has
            its own; (B, C, h, w) features that the attention sees.
        """
        network = self.network
        size = scaled_size(Size(image.shape[-2], image.shape[-1]), self.scale)
        resized = resize_to(network.normalize(image), size, network.align_corners)
        output = network.forward_scale(resized.half() if self.half_precision else resized)
        return tuple(getattr(output, name).float() for name in self.names)


def halve(network: SegmentationNetwork) -> None:
    """Convert weights to 16 bits; mean and std of the images stay in 32."""
    for part in network.children():
        part.half()
