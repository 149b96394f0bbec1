"""The rule of the shared folder's parity/README.md: how weights and images are filled."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


def _gain(name: str, ndim: int) -> float:
    if ndim >= 2:
        if name.endswith("scale_attn.conv2.weight"):
            return 0.05
        return 0.5 if ".convs." in name else 1.0
    quiet = (
        ".bn3." in name
        or "fuse_layers" in name
        or ("branches" in name and ".bn2." in name)
        or re.search(r"\.rep\.\d+\.weight$", name)
    )
    return 0.25 if quiet else 1.0


def value_of(name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """What a tensor of that published name holds; None for what is left as it is."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return None
    if name.endswith("running_var"):
        return 0.5 + random.random_sample(shape)
    if name.endswith("running_mean"):
        return 0.1 * random.standard_normal(shape)
    if len(shape) >= 2:
        scale = np.sqrt(2 / np.prod(shape[1:]))
        return _gain(name, len(shape)) * random.standard_normal(shape) * scale
    if name.endswith(".weight"):
        return _gain(name, 1) * (1 + 0.1 * random.standard_normal(shape))
    return 0.1 * random.standard_normal(shape)


def fill(network: nn.Module, published_name: Callable[[str], str | None]) -> None:
    """Fill a network's tensors by their published names."""
    for own, tensor in network.state_dict().items():
        name = published_name(own)
        assert name is not None, own
        value = value_of(name, tuple(tensor.shape))
        if value is not None:
            tensor.copy_(torch.from_numpy(value))


def image_of(height: int, width: int, seed: int) -> Tensor:
    """(1, 3, height, width) float32, as the networks see it: already normalised."""
    random = np.random.RandomState(seed)
    coarse = random.standard_normal((1, 3, height // 8, width // 8))
    fine = random.standard_normal((1, 3, height, width))
    image = np.kron(coarse, np.ones((8, 8))) + 0.1 * fine
    return torch.from_numpy(image.astype(np.float32))


def labels_of(height: int, width: int, seed: int, classes: int, void: float) -> Tensor:
    """(1, height, width) int64 train ids with 255 for ignore."""
    random = np.random.RandomState(seed)
    blocks = (1, height // 8, width // 8)
    labels = np.kron(random.randint(0, classes, blocks), np.ones((8, 8), int))
    ignored = np.kron(random.random_sample(blocks), np.ones((8, 8))) < void
    return torch.from_numpy(np.where(ignored, 255, labels)).long()


def read_manifest(path: Path) -> dict[str, tuple[int, ...]]:
    """Tensor names and shapes, in the published order."""
    shapes = {}
    for line in path.read_text().splitlines():
        name, shape, *_ = line.split("\t")
        shapes[name] = () if shape == "scalar" else tuple(map(int, shape.split("x")))
    return shapes


def relative_error(result: Tensor, expected: np.ndarray, stride: int) -> float:
    """The largest difference, in standard deviations of the expected array."""
    sampled = result[..., ::stride, ::stride].numpy()
    assert sampled.shape == expected.shape
    return float(np.abs(sampled - expected).max() / expected.std())
