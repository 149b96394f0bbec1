"""What tells a network's weights from others."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from hierseg.models import CONVENTIONS


def fingerprint(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell a network's weights from others, and how it normalises
    and resizes where that is not its builder's own way.
    """
    digest = hashlib.sha256()
    arguments = getattr(network, "builder_arguments", {})
    for name in CONVENTIONS:
        if arguments.get(name):  # not align_corners=False, which is everyone's
            digest.update(f"{name} {arguments[name]}".encode())
    if getattr(getattr(network, "fusion", None), "passes", False):
        digest.update(b"passes")  # the same tensors would be another network's
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
