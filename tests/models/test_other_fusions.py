"""Explicit and paired attention, against METHOD section 2 written down once more."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hierseg.errors import UsageError
from hierseg.models.explicit import ExplicitFusion
from hierseg.models.hierarchical import ScaleAttention
from hierseg.models.outputs import ScaleOutput
from hierseg.models.paired import PairedFusion
from hierseg.size import Size

SIZE = Size(37, 51)


def _resize(x: Tensor, size: tuple[int, int], aligned: bool = False) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=aligned)


def _image_size(scale: float) -> tuple[int, int]:
    return int(SIZE.height * scale), int(SIZE.width * scale)


def _outputs(scales: tuple[float, ...]) -> dict[float, ScaleOutput]:
    torch.manual_seed(0)
    outputs = {}
    for scale in scales:
        size = tuple(side // 4 + 1 for side in _image_size(scale))
        logits, other = torch.randn(2, 2, 3, *size)
        outputs[scale] = ScaleOutput(logits, other, None, torch.randn(2, 4, *size), None)
    return outputs


def _run(fusion, outputs: dict[float, ScaleOutput], **options):
    run = fusion.begin(SIZE, tuple(outputs), **options)
    for scale in run.scales:
        run.add(scale, outputs[scale])
    return run.finish()


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("scales", [(0.5, 1.0, 2.0), (1.0, 0.7), (1.0,)])
@torch.inference_mode()
def test_explicit(scales: tuple[float, ...], norm: bool, aligned: bool) -> None:
    outputs = _outputs(scales)
    fusion = ExplicitFusion(4, scales, 8, norm=norm).eval()
    one = outputs[1.0].features.shape[-2:]
    order = sorted(scales)
    joined = torch.cat([_resize(outputs[s].features, one, aligned) for s in order], 1)
    convolution = fusion.mix.conv if norm else fusion.mix[0]
    hidden = F.conv2d(joined, convolution.weight, convolution.bias, padding=1)
    hidden = (fusion.mix.norm(hidden) if norm else hidden).relu()
    weights = _resize(fusion.weigh(hidden).softmax(1), SIZE, aligned)
    result = _run(fusion, outputs, align_corners=aligned, keep=True)
    for fused, field in ((result.logits, "logits"), (result.auxiliary, "auxiliary")):
        expected = torch.zeros_like(fused)
        for index, scale in enumerate(order):
            whole = _resize(getattr(outputs[scale], field), _image_size(scale), aligned)
            expected += weights[:, index : index + 1] * _resize(whole, SIZE, aligned)
        torch.testing.assert_close(fused, expected)
    for index, scale in enumerate(order):
        shown = _resize(weights[:, index : index + 1], _image_size(scale), aligned)
        torch.testing.assert_close(result.attention[scale], shown)


def test_explicit_is_tied_to_its_scales() -> None:
    fusion = ExplicitFusion(4, (1.0, 0.5))
    for scales in ((1.0,), (0.5, 1.0, 2.0), (0.25, 1.0)):
        with pytest.raises(UsageError, match=r"trained at; give 0\.5 1\.$"):
            fusion.begin(SIZE, scales)
    with pytest.raises(UsageError, match="must include 1"):
        ExplicitFusion(4, (0.5, 2.0))
    assert fusion.mix[0].out_channels == 512


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("scales", [(0.5, 1.0), (0.25, 0.5, 1.0, 2.0), (1.0, 1.5, 2.0)])
@torch.inference_mode()
def test_paired(scales: tuple[float, ...], aligned: bool) -> None:
    outputs = _outputs(scales)
    attention = ScaleAttention(8, 5).eval()
    result = _run(PairedFusion(attention), outputs, align_corners=aligned, keep=True)
    order = sorted(scales, reverse=True)
    fused = _resize(outputs[order[0]].logits, _image_size(order[0]), aligned)
    for larger, scale in pairwise(order):
        features = outputs[scale].features
        other = _resize(outputs[larger].features, features.shape[-2:], aligned)
        size = _image_size(scale)
        a = _resize(attention(torch.cat([features, other], 1)), size, aligned)
        torch.testing.assert_close(result.attention[scale], a)
        p = _resize(outputs[scale].logits, size, aligned)
        if scale >= 1:
            fused = a * p + (1 - a) * _resize(fused, size, aligned)
        else:
            whole = fused.shape[-2:]
            fused = _resize(a * p, whole, aligned) + (1 - _resize(a, whole, aligned)) * fused
    torch.testing.assert_close(result.logits, fused)
    assert set(result.attention) == set(order[1:])


def test_paired_needs_scale_one() -> None:
    with pytest.raises(UsageError, match=r"scales 0\.5 2 must include 1"):
        PairedFusion(ScaleAttention(8, 5)).begin(SIZE, (0.5, 2.0))
