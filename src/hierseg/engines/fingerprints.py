"""Fingerprints of networks' weights."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from hierseg.models import CONVENTIONS


def fingerprint(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that identify a network's weights, and how it normalises and
    resizes if that differs from its builder's defaults.
    """
    digest = hashlib.sha256()
    arguments = getattr(network, "builder_arguments", {})
    for name in CONVENTIONS:
        if arguments.get(name):  # align_corners=False is the default
            digest.update(f"{name} {arguments[name]}".encode())
    if getattr(getattr(network, "fusion", None), "passes", False):
        digest.update(b"passes")  # a hierarchical network has the same tensors
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
