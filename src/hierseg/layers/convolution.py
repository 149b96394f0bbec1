"""Convolution, batch norm and ReLU as one block."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNormAct(nn.Module):
    """Convolution, batch norm (eps 1e-5, momentum 0.1) and ReLU; the size is kept at stride 1.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Side of the kernel, odd.
        stride: Stride; an input side n gives ceil(n / stride).
        dilation: Dilation of the kernel, one number or (vertical, horizontal).
        bias: Whether the convolution has a bias of its own.
        act: Whether a ReLU follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        dilation: int | tuple[int, int] = 1,
        bias: bool = False,
        act: bool = True,
    ) -> None:
        super().__init__()
        vertical, horizontal = (dilation, dilation) if isinstance(dilation, int) else dilation
        half = kernel // 2
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=(vertical * half, horizontal * half),
            dilation=(vertical, horizontal),
            bias=bias,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        # In place is safe behind a batch norm: its backward needs its input, not its output.
        self.act = nn.ReLU(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, ceil(h / stride), ceil(w / stride))."""
        result: Tensor = self.act(self.norm(self.conv(x)))
        return result
