"""A network, its label space and its scales in one file.

Names are loaded on first use, so that finding a file costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.checkpoint.annotate import annotate_checkpoint
    from hierseg.checkpoint.finding import DEFAULT_WEIGHTS, find_weights, packaged_weights
    from hierseg.checkpoint.flow_networks import (
        FlowWeights,
        holds_sdcnet,
        is_sdcnet,
        load_raft,
        load_sdcnet,
        save_sdcnet,
        write_published_sdcnet,
    )
    from hierseg.checkpoint.flow_opening import open_flow
    from hierseg.checkpoint.foreign.converting import (
        convert_network,
        convert_trunk,
        read_form,
        read_trunk,
        save_trunk,
    )
    from hierseg.checkpoint.foreign.label_spaces import find_label_space
    from hierseg.checkpoint.foreign.publishing import choose_publication, write_published
    from hierseg.checkpoint.format import (
        CLASSIFIERS,
        Header,
        header_from_json,
        header_of,
        read_header,
    )
    from hierseg.checkpoint.hub import (
        check_repository,
        is_on_hub,
        require_token,
        upload_repository,
    )
    from hierseg.checkpoint.load import Weights, load_model, open_weights, place_network
    from hierseg.checkpoint.opening import GRAPHS, no_memory, open_checkpoint
    from hierseg.checkpoint.save import save_checkpoint
    from hierseg.checkpoint.tensor_files import count_tensors, list_some
    from hierseg.checkpoint.torch_files import read_torch_file
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "annotate": ("annotate_checkpoint",),
            "finding": (
                "DEFAULT_WEIGHTS",
                "find_weights",
                "packaged_weights",
            ),
            "flow_networks": (
                "FlowWeights",
                "holds_sdcnet",
                "is_sdcnet",
                "load_raft",
                "load_sdcnet",
                "save_sdcnet",
                "write_published_sdcnet",
            ),
            "flow_opening": ("open_flow",),
            "foreign.converting": (
                "convert_network",
                "convert_trunk",
                "read_form",
                "read_trunk",
                "save_trunk",
            ),
            "foreign.label_spaces": ("find_label_space",),
            "foreign.publishing": (
                "choose_publication",
                "write_published",
            ),
            "format": (
                "CLASSIFIERS",
                "Header",
                "header_from_json",
                "header_of",
                "read_header",
            ),
            "hub": (
                "check_repository",
                "is_on_hub",
                "require_token",
                "upload_repository",
            ),
            "load": (
                "Weights",
                "load_model",
                "open_weights",
                "place_network",
            ),
            "opening": (
                "GRAPHS",
                "no_memory",
                "open_checkpoint",
            ),
            "save": ("save_checkpoint",),
            "tensor_files": (
                "count_tensors",
                "list_some",
            ),
            "torch_files": ("read_torch_file",),
        },
    )

__all__ = [
    "CLASSIFIERS",
    "DEFAULT_WEIGHTS",
    "GRAPHS",
    "FlowWeights",
    "Header",
    "Weights",
    "annotate_checkpoint",
    "check_repository",
    "choose_publication",
    "convert_network",
    "convert_trunk",
    "count_tensors",
    "find_label_space",
    "find_weights",
    "header_from_json",
    "header_of",
    "holds_sdcnet",
    "is_on_hub",
    "is_sdcnet",
    "list_some",
    "load_model",
    "load_raft",
    "load_sdcnet",
    "no_memory",
    "open_checkpoint",
    "open_flow",
    "open_weights",
    "packaged_weights",
    "place_network",
    "read_form",
    "read_header",
    "read_torch_file",
    "read_trunk",
    "require_token",
    "save_checkpoint",
    "save_sdcnet",
    "save_trunk",
    "upload_repository",
    "write_published",
    "write_published_sdcnet",
]
