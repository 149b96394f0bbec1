from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hierseg.engines.torch_engine import TorchEngine
from hierseg.inference.segmenter import Segmenter
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import SegmentationOutput
from hierseg.models.registry import create_model
from hierseg.options import RunOptions
from support.color_network import ColorNetwork


def predict_logits(
    network: Any,
    image: Tensor,
    scales: Any = None,
    flip: bool = False,
    keep_scales: bool = False,
) -> SegmentationOutput:
    options = RunOptions(scales=scales, flip=flip)
    return Segmenter(TorchEngine(network), options, keep_scales=keep_scales).run_tensor(image)


def _network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return create_model("lite0-ocr-hier", 4).eval()


def test_without_flip_it_is_the_network_alone() -> None:
    network, image = _network(), torch.rand(2, 3, 48, 70)
    expected = network(image, scales=(0.5, 1.0, 1.5)).logits
    output = predict_logits(network, image, [0.5, 1.0, 1.5])
    assert output.logits.equal(expected)
    assert output.per_scale is output.attention is output.auxiliary is None
    assert predict_logits(network, image).logits.equal(network(image, scales=(0.5, 1.0)).logits)


def test_flip_averages_logits_and_maps() -> None:
    network, image = _network(), torch.rand(1, 3, 48, 70)
    output = predict_logits(network, image, (0.5, 1.0), flip=True, keep_scales=True)
    straight = network(image, scales=(0.5, 1.0), keep_scales=True)
    mirrored = network(image.flip(3), scales=(0.5, 1.0), keep_scales=True)
    torch.testing.assert_close(
        output.logits, (straight.logits + mirrored.logits.flip(3)) / 2, rtol=0, atol=1e-6
    )
    assert not torch.allclose(output.logits, straight.logits, atol=1e-4)
    for scale in (0.5, 1.0):
        for got, a, b in (
            (output.per_scale, straight.per_scale, mirrored.per_scale),
            (output.attention, straight.attention, mirrored.attention),
        ):
            assert got is not None
            assert set(got) == {0.5, 1.0}
            torch.testing.assert_close(
                got[scale], (a[scale] + b[scale].flip(3)) / 2, rtol=0, atol=1e-6
            )


def test_a_mirrored_image_gives_the_mirrored_result() -> None:
    network, image = _network(), torch.rand(1, 3, 48, 70)
    one = predict_logits(network, image, (1.0,), flip=True).logits
    other = predict_logits(network, image.flip(3), (1.0,), flip=True).logits
    torch.testing.assert_close(one, other.flip(3))


def test_no_graph_is_kept() -> None:
    network = ColorNetwork()
    output = predict_logits(network, torch.rand(1, 3, 40, 40), flip=True)
    assert not output.logits.requires_grad
    assert len(network.calls) == 2
