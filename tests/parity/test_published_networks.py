"""The published networks beside HRNet-OCR's own, against the numbers of the shared folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from parity.rule import fill, image_of, relative_error

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4
EXACT_TOLERANCE, ROUNDED_TOLERANCE = 1e-4, 2e-4
"""In float64 arithmetic and in float32."""
OTHER_HEADS = {
    "hrnet-basic": "hrnet_w48_basic",
    "hrnet-basic-hier": "hrnet_w48_mscale",
    "hrnet-aspp": "hrnet_w48_aspp",
    "hrnet-aspp-hier": "hrnet_w48_aspp_mscale",
    "deeper-wrn38": "deeper_wrn38",
    "deeper-wrn38-hier": "deeper_wrn38_mscale",
    "deeper-xception71": "deeper_xception71",
    "deeplabv3plus-wrn38-fuse": "deeplabv3plus_wrn38_fuse",
    "deeplabv3plus-wrn38-fuse2": "deeplabv3plus_wrn38_fuse2",
}
ONE_SCALE = {
    "deeplabv3plus-wrn38": "deeplabv3plus_wrn38",
    "deeplabv3plus-xception71": "deeplabv3plus_xception71",
    "vplr-wrn38": "sdc_deepwv3plus",
    "vplr-seresnext50": "sdc_deeplabv3plus_seresnext50",
    "official-hrnet": "official_hrnet_w48",
    "official-hrnet-ocr": "official_hrnet_w48_ocr",
}


@pytest.fixture(autouse=True)
def _weights_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule fills every tensor; drawing 137 million random ones before would only take time."""
    for name in ("kaiming_normal_", "kaiming_uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


def _filled(name: str) -> SegmentationNetwork:
    table, model, arguments, _ = PUBLICATIONS[name]
    network = create_model(model, **arguments)
    fill(network, table.to_published)
    network.mean.zero_()
    network.std.fill_(1)
    return network.eval()


def _image(golden: np.lib.npyio.NpzFile) -> torch.Tensor:
    return image_of(*(int(golden[key]) for key in ("height", "width", "seed")))


@pytest.mark.parametrize("name", ONE_SCALE)
@torch.inference_mode()
def test_one_scale(parity_dir: Path, name: str) -> None:
    golden = np.load(parity_dir / f"{ONE_SCALE[name]}.npz")
    output = _filled(name)(_image(golden), auxiliary=True)
    results = {"pred": output.logits, "aux": output.auxiliary}
    expected = [key for key in ("pred", "aux") if key in golden.files]
    assert expected
    errors = {
        key: relative_error(results[key], golden[key], int(golden["stride"])) for key in expected
    }
    print(name, errors)
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("direction", ["down", "up"])
@torch.inference_mode()
def test_hierarchical_deeplab(parity_dir: Path, direction: str) -> None:
    golden = np.load(parity_dir / "deeplabv3plus_wrn38_mscale.npz")
    network = _filled("deeplabv3plus-wrn38-hier")
    network.fusion.direction = direction
    output = network(_image(golden), golden["scales"].tolist(), keep_scales=True)
    results = {"pred": output.logits}
    results |= {f"pred_{scale}x": value for scale, value in output.per_scale.items()}
    results |= {f"attn_{scale}x": value for scale, value in output.attention.items()}
    expected = [key for key in golden.files if key.startswith(("pred", "attn"))]
    assert len(expected) == 6
    errors = {
        key: relative_error(results[key], golden[key], int(golden["stride"])) for key in expected
    }
    print("deeplabv3plus-wrn38-hier", direction, errors)
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("name", OTHER_HEADS)
@torch.inference_mode()
def test_other_heads(parity_dir: Path, name: str) -> None:
    golden = np.load(parity_dir / f"{OTHER_HEADS[name]}.npz")
    expected = [key for key in golden.files if key.startswith(("pred", "attn"))]
    scales = golden["scales"].tolist() if "scales" in golden.files else [1.0]
    assert len(expected) == {1: 1, 2: 4, 3: 6}[len(scales)]
    network = _filled(name)
    for dtype, tolerance in ((torch.float32, ROUNDED_TOLERANCE), (torch.float64, EXACT_TOLERANCE)):
        output = network.to(dtype)(_image(golden), scales, keep_scales=True)
        results = {"pred": output.logits}
        results |= {f"pred_{scale}x": value for scale, value in output.per_scale.items()}
        results |= {f"attn_{scale}x": value for scale, value in (output.attention or {}).items()}
        errors = {
            key: relative_error(results[key], golden[key], int(golden["stride"]))
            for key in expected
        }
        print(name, dtype, errors)
        assert max(errors.values()) < tolerance, errors


@torch.inference_mode()
def test_filled_by_paddleseg_names_it_computes_the_same(parity_dir: Path) -> None:
    """The fourth column of that manifest says what its tensors are filled by."""
    lines = (parity_dir / "manifest/paddleseg_mscale_ocr.tsv").read_text().splitlines()
    column = {line.split("\t")[0]: line.split("\t")[3] for line in lines}
    table, model, *_ = PUBLICATIONS["paddleseg-hrnet-ocr"]
    network = create_model(model)

    def source(own: str) -> str:
        name = table.to_published(own)
        return column[name] if name is not None else "num_batches_tracked"

    fill(network, source)
    network.mean.zero_()
    network.std.fill_(1)
    golden = np.load(parity_dir / "hrnet_w48_ocr_mscale_3scales.npz")
    output = network.eval()(_image(golden), golden["scales"].tolist())
    error = relative_error(output.logits, golden["pred"], int(golden["stride"]))
    print("paddleseg-hrnet-ocr", error)
    assert error < TOLERANCE
