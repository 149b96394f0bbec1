"""A network that was never trained, as a user's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hierseg.checkpoint.save import save_checkpoint
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    network = create_model("lite0-ocr-hier", CITYSCAPES.num_classes)
    save_checkpoint(path, network, CITYSCAPES, record={"miou": 0.25})
    return path
