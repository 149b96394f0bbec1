"""A network, its label space and its scales in one file.

Names are loaded on first use, so that finding a file costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.checkpoint.annotate import annotate_checkpoint, stored_temperature
    from hierseg.checkpoint.finding import DEFAULT_WEIGHTS, find_weights, packaged_weights
    from hierseg.checkpoint.foreign.converting import (
        convert_network,
        convert_trunk,
        read_form,
        read_trunk,
        save_trunk,
    )
    from hierseg.checkpoint.foreign.fitting import count_tensors, list_some
    from hierseg.checkpoint.foreign.label_spaces import PUBLISHED_SPACES, find_label_space
    from hierseg.checkpoint.foreign.publishing import choose_publication, write_published
    from hierseg.checkpoint.foreign.reading import container_of, read_foreign
    from hierseg.checkpoint.foreign.recognition import CLASSIFIERS, recognise_trunk
    from hierseg.checkpoint.format import Header, header_of, read_header
    from hierseg.checkpoint.load import (
        find_statistics,
        is_trunk,
        load_model,
        place_network,
        read_conventions,
        read_weights,
    )
    from hierseg.checkpoint.raw import no_memory, open_checkpoint
    from hierseg.checkpoint.save import save_checkpoint
    from hierseg.checkpoint.torch_files import read_torch_file
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "annotate": (
                "annotate_checkpoint",
                "stored_temperature",
            ),
            "finding": (
                "DEFAULT_WEIGHTS",
                "find_weights",
                "packaged_weights",
            ),
            "foreign.converting": (
                "convert_network",
                "convert_trunk",
                "read_form",
                "read_trunk",
                "save_trunk",
            ),
            "foreign.fitting": (
                "count_tensors",
                "list_some",
            ),
            "foreign.label_spaces": (
                "PUBLISHED_SPACES",
                "find_label_space",
            ),
            "foreign.publishing": (
                "choose_publication",
                "write_published",
            ),
            "foreign.reading": (
                "container_of",
                "read_foreign",
            ),
            "foreign.recognition": (
                "CLASSIFIERS",
                "recognise_trunk",
            ),
            "format": (
                "Header",
                "header_of",
                "read_header",
            ),
            "load": (
                "find_statistics",
                "is_trunk",
                "load_model",
                "place_network",
                "read_conventions",
                "read_weights",
            ),
            "raw": (
                "no_memory",
                "open_checkpoint",
            ),
            "save": ("save_checkpoint",),
            "torch_files": ("read_torch_file",),
        },
    )

__all__ = [
    "CLASSIFIERS",
    "DEFAULT_WEIGHTS",
    "PUBLISHED_SPACES",
    "Header",
    "annotate_checkpoint",
    "choose_publication",
    "container_of",
    "convert_network",
    "convert_trunk",
    "count_tensors",
    "find_label_space",
    "find_statistics",
    "find_weights",
    "header_of",
    "is_trunk",
    "list_some",
    "load_model",
    "no_memory",
    "open_checkpoint",
    "packaged_weights",
    "place_network",
    "read_conventions",
    "read_foreign",
    "read_form",
    "read_header",
    "read_torch_file",
    "read_trunk",
    "read_weights",
    "recognise_trunk",
    "save_checkpoint",
    "save_trunk",
    "stored_temperature",
    "write_published",
]
