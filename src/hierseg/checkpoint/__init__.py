"""A network, its label space and its scales in one file."""

from hierseg.checkpoint.annotate import annotate_checkpoint, stored_temperature
from hierseg.checkpoint.format import FORMAT_VERSION, Header, header_of, read_header
from hierseg.checkpoint.load import (
    DEFAULT_WEIGHTS,
    find_statistics,
    find_weights,
    is_trunk,
    load_model,
    packaged_weights,
    place_network,
    read_conventions,
    read_weights,
)
from hierseg.checkpoint.save import save_checkpoint

__all__ = [
    "DEFAULT_WEIGHTS",
    "FORMAT_VERSION",
    "Header",
    "annotate_checkpoint",
    "find_statistics",
    "find_weights",
    "header_of",
    "is_trunk",
    "load_model",
    "packaged_weights",
    "place_network",
    "read_conventions",
    "read_header",
    "read_weights",
    "save_checkpoint",
    "stored_temperature",
]
