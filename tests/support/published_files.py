"""Checkpoints as their publications have them, filled by the rule of the parity folder."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from parity.rule import read_manifest, value_of

NARROW: dict[str, dict[str, Any]] = {
    "hrnet": {"width": 2, "mid_channels": 8, "key_channels": 4},
    "plain": {"width": 2},
    "basic": {"width": 2, "mid_channels": 8},
    "deeplab": {"width": 4, "shallow": True, "mid_channels": 8, "fine_channels": 4},
    "seresnext": {"width": 16, "shallow": True, "mid_channels": 8, "fine_channels": 4},
}
"""Widths by kind of network; those with attention also have fewer of its channels."""


def narrow_arguments(publication: str) -> dict[str, Any]:
    """Arguments of ``create_model`` for a small network of a publication's kind."""
    _, model, arguments, _ = PUBLICATIONS[publication]
    if "hrnet" in model:
        kind = "hrnet" if "ocr" in model else "plain"
        kind = "basic" if "basic" in model or "-aspp" in model else kind
    else:
        kind = "seresnext" if "seresnext" in model else "deeplab"
    small = dict(NARROW[kind])
    if model.endswith(("-hier", "-fuse", "-fuse2")):
        small["attention_channels"] = 4
    return {**arguments, **small}


def narrow_network(publication: str, num_classes: int = 19) -> SegmentationNetwork:
    """A small network of a publication's kind, filled by the rule."""
    model = PUBLICATIONS[publication].model
    network = create_model(model, num_classes, **narrow_arguments(publication)).eval()
    table = PUBLICATIONS[publication].table
    # Paddle's tensors are filled as those of the original that they are.
    names = HRNET_OCR if publication.startswith("paddle") else table
    for own, tensor in network.state_dict().items():
        value = value_of(names.to_published(own) or own, tuple(tensor.shape))
        if value is not None:
            tensor.copy_(torch.from_numpy(value))
        elif table.to_published(own) is not None:
            tensor.fill_(7)
    return network


def published_tensors(network: SegmentationNetwork, publication: str) -> dict[str, Tensor]:
    """A network's tensors by published name."""
    to_published = PUBLICATIONS[publication].table.to_published
    named = {to_published(own): tensor for own, tensor in network.state_dict().items()}
    return {name: tensor.clone() for name, tensor in named.items() if name is not None}


def manifest_tensors(manifest: Path) -> dict[str, Tensor]:
    """The tensors of a manifest, filled by the rule; those with a fourth column by that name."""
    filled_as = {
        cells[0]: cells[-1] if len(cells) > 3 else cells[0]
        for cells in (line.split("\t") for line in manifest.read_text().splitlines())
    }
    tensors = {}
    for name, shape in read_manifest(manifest).items():
        value = value_of(filled_as[name], shape)
        tensors[name] = (
            torch.tensor(0) if value is None else torch.from_numpy(value.astype(np.float32))
        )
    return tensors


def write_torch(
    path: Path,
    tensors: Mapping[str, Tensor],
    prefix: str = "module.",
    nested: bool = True,
    legacy: bool = False,
    others: Mapping[str, Tensor] | None = None,
    arch: str | None = None,
) -> Path:
    """A torch checkpoint; a nested one with optimiser, epoch, numpy scalar and strings beside."""
    content: dict[str, Any] = {prefix + name: tensor for name, tensor in tensors.items()}
    content |= others or {}
    if nested:
        momentum = {"momentum_buffer": torch.rand(3)}
        groups = [{"lr": 0.01, "params": [0], "nesterov": False}]
        content = {
            "state_dict": content,
            "optimizer": {"state": {0: momentum}, "param_groups": groups},
            "epoch": 174,
            "num_classes": 19,
            "mean_iu": np.float64(0.8692),
            "command": "train.py --dataset cityscapes",
        }
        content |= {} if arch is None else {"arch": arch}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def write_mmsegmentation(path: Path, tensors: Mapping[str, Tensor], **meta: Any) -> Path:
    """A checkpoint as mmsegmentation's training writes it."""
    about = {"env_info": "sys.platform: linux", "seed": 0, "epoch": 1, "iter": 160000, **meta}
    torch.save({"meta": about, "state_dict": OrderedDict(tensors)}, path)
    return path


def write_paddle_file(path: Path, tensors: Mapping[str, Tensor], protocol: int = 4) -> Path:
    """A ``.pdparams`` with Paddle's second names."""
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    arrays["StructuredToParameterName@@"] = {name: f"p_{i}" for i, name in enumerate(tensors)}
    path.write_bytes(pickle.dumps(arrays, protocol=protocol))
    return path


def write_published(folder: Path, publication: str, network: SegmentationNetwork) -> Path:
    """The network in the form of its publication."""
    tensors = published_tensors(network, publication)
    if publication.startswith("paddle"):
        return write_paddle_file(folder / "model.pdparams", tensors)
    if publication.startswith("official"):
        weight = {"loss.criterion.weight": torch.rand(19)}
        return write_torch(folder / "a.pth", tensors, "model.", nested=False, others=weight)
    if publication.startswith("vplr"):
        return write_torch(folder / "a.pth", tensors, legacy=True)
    if publication.startswith("mmsegmentation"):
        return write_mmsegmentation(folder / "a.pth", tensors)
    arch = PUBLICATIONS[publication].arch
    return write_torch(folder / "a.pth.tar", tensors, arch=arch)


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that a test wrote or had written, whatever its form."""
    if path.suffix == ".pdparams":
        arrays = pickle.loads(path.read_bytes())
        return {
            name: torch.from_numpy(value)
            for name, value in arrays.items()
            if isinstance(value, np.ndarray)
        }
    content = torch.load(path, weights_only=False)
    state: dict[str, Tensor] = content.get("state_dict", content)
    return state
