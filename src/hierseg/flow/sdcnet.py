"""SDC-Net's flow form (Reda et al., ECCV 2018; METHOD section 8): frames and the flow between them
in, the backward flow of the target out.

Shapes: B batch, N frames seen, H and W pixels, both multiples of 64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.errors import UserError

MEAN = (-0.94427323, -1.23077035)
STD = (13.77204132, 7.47463894)
"""Of Cityscapes' flow in x and y, by which flow is normalised."""
FRAMES = {"reconstruction": 3, "prediction": 2}
"""Forms by name: how many frames they see. Reconstruction sees the target; prediction does not."""
STRIDE = 64
"""The sides of frames are multiples of this."""
WIDTH = 32
"""The published network's channels of its first layer."""
_ENCODER = (
    (1, 7, 2), (2, 5, 2), (4, 5, 2), (4, 3, 1), (8, 3, 2), (8, 3, 1), (8, 3, 2), (8, 3, 1),
    (16, 3, 2), (16, 3, 1),
)  # fmt: skip
"""Channels in widths, kernel and stride of each convolution."""
_DECODER = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
_JOINED = (7, 5, 3, 1, 0)
"""Which convolution's output joins each of the decoder's but the last."""
_SLOPE = 0.1


class SdcNet(nn.Module):
    """A U-Net over frames and flow, with flow as its output.

    Args:
        form: ``reconstruction`` sees two frames and the target between them and which the flow is
            wanted, with two flows; ``prediction`` sees two real frames with one flow, and its flow
            leads to a frame that it does not see.
        width: Channels of the first layer, a multiple of 4; 32 as published.
        mean: Of flow in x and y.
        std: The same.

    Raises:
        UserError: There is no such network.
    """

    def __init__(
        self,
        form: str = "reconstruction",
        width: int = WIDTH,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        super().__init__()
        if form not in FRAMES or width % 4 or not 4 <= width <= 256:
            raise UserError(
                f"there is no SDC-Net of the form {form!r:.40} and width {width!r:.40}; forms are "
                f"{', '.join(FRAMES)}, widths multiples of 4 from 4 to 256."
            )
        if not (len(mean) == len(std) == 2 and min(std) > 0):
            raise UserError("the mean and std of SDC-Net's flow are two numbers each, std above 0.")
        self.form, self.width = form, width
        self.frames = FRAMES[form]
        self.arguments: dict[str, Any] = {
            "form": form, "width": width, "mean": list(mean), "std": list(std),
        }  # fmt: skip
        self.register_buffer("mean", torch.tensor(mean).view(2, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(2, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        inputs = 2 * (self.frames - 1) + 3 * self.frames
        self.encoder = nn.ModuleList()
        channels = inputs
        for widths, kernel, stride in _ENCODER:
            made = nn.Conv2d(channels, widths * width, kernel, stride, padding=kernel // 2)
            self.encoder.append(made)
            channels = widths * width
        self.decoder = nn.ModuleList()
        for place, share in enumerate(_DECODER):
            self.decoder.append(nn.ConvTranspose2d(channels, int(share * width), 4, 2, 1))
            joined = _ENCODER[_JOINED[place]][0] * width if place < len(_JOINED) else inputs
            channels = joined + int(share * width)
        self.flow = nn.Conv2d(channels, 2, 3, padding=1)

    def forward(self, images: Tensor, flows: Tensor) -> Tensor:
        """The backward flow of the target, from the frame before it.

        Args:
            images: (B, N, 3, H, W) float from 0 to 255, in the order of time.
            flows: (B, N - 1, 2, H, W) float in pixels: from frame i + 1 to frame i.

        Returns:
            (B, 2, H, W) float in pixels.
        """
        joined = self._join(images, flows)
        outputs: list[Tensor] = []
        features = joined
        for layer in self.encoder:
            features = F.leaky_relu(layer(features), _SLOPE)
            outputs.append(features)
        for place, layer in enumerate(self.decoder):
            features = F.leaky_relu(layer(features), _SLOPE)
            other = outputs[_JOINED[place]] if place < len(_JOINED) else joined
            features = torch.cat((other, features), 1)
        flow: Tensor = 3 * self.std * self.flow(features) + self.mean
        return flow

    def _join(self, images: Tensor, flows: Tensor) -> Tensor:
        """Everything normalised, frames beside one another: x of all flows, y, red, green, blue."""
        normalised = (flows - self.mean) / (3 * self.std)
        colors = (images - images.mean((1, 3, 4), keepdim=True)) / 255
        return torch.cat((normalised.transpose(1, 2).flatten(1, 2), _by_color(colors)), 1)

    def start_from_flow(self) -> None:
        """Initial weights with which the output is the last of the input flows: that of the target
        for reconstruction, that of the pair before, as of steady motion, for prediction.
        """
        for layer in (*self.encoder, *self.decoder):
            assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        assert self.flow.bias is not None
        nn.init.zeros_(self.flow.bias)
        nn.init.zeros_(self.flow.weight)
        last = self.frames - 2
        with torch.no_grad():
            self.flow.weight[0, last, 1, 1] = 1
            self.flow.weight[1, self.frames - 1 + last, 1, 1] = 1


def _by_color(images: Tensor) -> Tensor:
    """(B, 3N, H, W) of (B, N, 3, H, W): for each color all frames."""
    return images.transpose(1, 2).flatten(1, 2)


PUBLISHED_LAYERS: Mapping[str, str] = {
    **dict(
        zip(
            ("conv1", "conv2", "conv3", "conv3_1", "conv4", "conv4_1", "conv5", "conv5_1", "conv6",
             "conv6_1"),
            (f"encoder.{place}" for place in range(len(_ENCODER))),
            strict=True,
        )
    ),
    **{f"deconv{5 - place}": f"decoder.{place}" for place in range(len(_DECODER))},
    "final_flow": "flow",
}  # fmt: skip
"""Published layer -> own layer; all but the last stand in a sequence, as its item 0."""
