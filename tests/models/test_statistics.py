from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.errors import UsageError
from hierseg.labels import CAMVID
from hierseg.models.registry import create_model

MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


def test_given_statistics_normalise_and_survive_a_checkpoint(tmp_path: Path) -> None:
    network = create_model("lite0-ocr-hier", 11, mean=MEAN, std=STD)
    save_checkpoint(tmp_path / "a.safetensors", network, CAMVID)
    for each in (network, load_model(tmp_path / "a.safetensors")):
        image = torch.tensor([0.5, 0.7, 0.9]).view(1, 3, 1, 1)
        assert torch.allclose(each.normalize(image).flatten(), torch.ones(3))


@pytest.mark.parametrize("value", [(0.1, 0.2), (0.1, 0.2, 1.5), ("a", 0.1, 0.1), 0.5, (0, 0, 0.0)])
def test_statistics_that_cannot_be_are_refused(value: object) -> None:
    with pytest.raises(UsageError, match="std"):
        create_model("lite0-ocr-hier", 11, std=value)
