"""Blocks that models share."""

from hierseg.layers.convolution import ConvNormAct
from hierseg.layers.initial import initialise_convolutions
from hierseg.layers.resize import resize_to, scaled_size
from hierseg.layers.synchronised import synchronise_norms

__all__ = [
    "ConvNormAct",
    "initialise_convolutions",
    "resize_to",
    "scaled_size",
    "synchronise_norms",
]
