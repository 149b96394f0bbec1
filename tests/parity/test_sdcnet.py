"""SDC-Net in its published form: it gives the published flow, and is written as it was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.checkpoint import load_sdcnet, write_published_sdcnet
from hierseg.flow.sdcnet import MEAN, STD
from parity.rule import relative_error
from support.published_files import manifest_tensors, read_published, write_torch


def _tensors(parity_dir: Path) -> dict[str, Tensor]:
    tensors = manifest_tensors(parity_dir / "manifest" / "sdcnet2d_recon.tsv")
    tensors["flow_mean"] = torch.tensor(MEAN).view(1, 2, 1, 1)
    tensors["flow_std"] = torch.tensor(STD).view(1, 2, 1, 1)
    return tensors


def _frames(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """(1, 3, 3, H, W) images and (1, 2, 2, H, W) flows of the golden."""
    random = np.random.RandomState(seed)
    coarse = height // 8, width // 8
    block = np.ones((8, 8))
    images = [np.kron(random.random_sample((1, 3, *coarse)), block) * 255 for _ in range(3)]
    flows = [np.kron(random.standard_normal((1, 2, *coarse)), block) * 4 for _ in range(2)]
    return tuple(
        torch.from_numpy(np.stack(arrays, 1).astype(np.float32)) for arrays in (images, flows)
    )  # type: ignore[return-value]


@pytest.mark.parametrize("legacy", [True, False])
@torch.inference_mode()
def test_the_published_form_gives_the_published_flow(
    parity_dir: Path, tmp_path: Path, legacy: bool
) -> None:
    tensors = _tensors(parity_dir)
    path = write_torch(tmp_path / "sdc_cityscapes_vrec.pth.tar", tensors, legacy=legacy)
    loaded = load_sdcnet(path)
    with np.load(parity_dir / "sdcnet2d_recon.npz") as golden:
        size = int(golden["height"]), int(golden["width"])
        flow = loaded.network(*_frames(*size, int(golden["seed"])))
        assert relative_error(flow, golden["flow"], int(golden["stride"])) < 1e-4
    write_published_sdcnet(tmp_path / "again.pth.tar", loaded.network)
    again = read_published(tmp_path / "again.pth.tar")
    assert list(again) == [f"module.{name}" for name in tensors]
    for name, tensor in tensors.items():
        if name != "rgb_mean":
            assert torch.equal(again[f"module.{name}"], tensor), name
