"""Blocks that models share."""

from hierseg.layers.convolution import ConvNormAct
from hierseg.layers.resize import resize_to, scaled_size

__all__ = ["ConvNormAct", "resize_to", "scaled_size"]
