"""Logits and labels: random ones, and those of the shared folder's losses.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def draw(
    shape: tuple[int, int, int, int], block: int = 3, ignored: float = 0.2, ignore: int = 255
) -> tuple[Tensor, Tensor]:
    """Float64 logits that know something of the labels, and labels in blocks with holes."""
    random = np.random.RandomState(sum(shape) + block)
    batch, classes, height, width = shape
    coarse = random.randint(0, classes, (batch, height // block + 1, width // block + 1))
    holes = random.random_sample(coarse.shape) < ignored
    blocks = np.kron(np.where(holes, ignore, coarse), np.ones((block, block), int))
    labels = torch.tensor(blocks[:, :height, :width])
    logits = torch.tensor(2 * random.standard_normal(shape))
    logits += 2.0 * (torch.arange(classes)[:, None, None] == labels[:, None])
    return logits, labels


def published_cases(parity_dir: Path, name: str) -> list[dict[str, Any]]:
    """The cases of losses.json under a name; there are two of each."""
    cases: list[dict[str, Any]] = json.loads((parity_dir / "losses.json").read_text())[name]
    assert len(cases) == 2
    return cases


def draw_published(case: dict[str, Any], void: float) -> tuple[Tensor, Tensor]:
    """Float32 logits and labels by the rule of losses.json."""
    random = np.random.RandomState(case["seed"])
    batch, classes, height, width = case["shape"]
    ones, coarse = np.ones((8, 8)), (batch, height // 8, width // 8)
    logits = np.kron(random.standard_normal((batch, classes, *coarse[1:])), ones) * 2
    logits += 0.3 * random.standard_normal((batch, classes, height, width))
    labels = np.kron(random.randint(0, classes, coarse), ones)
    labels[np.kron(random.random_sample(coarse), ones) < void] = 255
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels).long()
