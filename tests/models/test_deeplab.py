"""Heads of section 3, and OCR with ASPP, against METHOD transcribed naively."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.models.aspp import ASPP, DensePredictionCell
from hierseg.models.deeplab import DeepLabV3Head, DeepLabV3PlusHead, PlainHead
from hierseg.models.ocr import OCRHead
from parity.rule import fill


def _filled(module: nn.Module) -> nn.Module:
    fill(module, lambda name: name)
    return module.double().eval()


def _block(block: nn.Module, x: Tensor, dilation: tuple[int, int] = (1, 1)) -> Tensor:
    half = block.conv.kernel_size[0] // 2
    padding = (dilation[0] * half, dilation[1] * half)
    y = F.conv2d(x, block.conv.weight, block.conv.bias, 1, padding, dilation)
    return block.norm(y).relu()


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@torch.inference_mode()
def test_aspp_concatenates_the_pooled_branch_first() -> None:
    aspp = _filled(ASPP(3, 2))
    x = _random(2, 3, 50, 41)
    pooled = F.interpolate(
        _block(aspp.pooled, F.adaptive_avg_pool2d(x, 1)), size=(50, 41), mode="bilinear"
    )
    dilations = ((1, 1), (12, 12), (24, 24), (36, 36))
    parts = [_block(b, x, d) for b, d in zip(aspp.branches, dilations, strict=True)]
    torch.testing.assert_close(aspp(x), torch.cat([pooled, *parts], 1))
    assert aspp.out_channels == 10


def test_aspp_needs_two_images_only_where_its_norm_learns_alone() -> None:
    aspp = ASPP(3, 2)
    assert aspp.needs_two_images
    assert not nn.SyncBatchNorm.convert_sync_batchnorm(ASPP(3, 2)).needs_two_images
    assert not aspp.eval().needs_two_images


@torch.inference_mode()
def test_dense_prediction_cell_is_the_published_graph() -> None:
    cell = _filled(DensePredictionCell(3, 2))
    x = _random(1, 3, 50, 61)
    branches = cell.branches
    a = _block(branches[0], x, (2, 12))
    b = _block(branches[1], a, (36, 30))
    c = _block(branches[2], a, (12, 42))
    d = _block(branches[3], a, (2, 2))
    e = _block(branches[4], b, (12, 6))
    torch.testing.assert_close(cell(x), torch.cat([a, b, c, d, e], 1))


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("cell", [False, True])
@torch.inference_mode()
def test_decoder_concatenates_the_fine_feature_first(cell: bool, aligned: bool) -> None:
    head = _filled(DeepLabV3PlusHead((4, 3, 5), 6, 2, 3, cell=cell, align_corners=aligned))
    fine, deep = _random(1, 4, 21, 33), _random(1, 5, 6, 9)
    context = F.conv2d(head.context(deep), head.reduce_context.weight)
    context = F.interpolate(context, size=(21, 33), mode="bilinear", align_corners=aligned)
    joined = torch.cat([F.conv2d(fine, head.reduce_fine.weight), context], 1)
    logits = F.conv2d(_block(head.decode[1], _block(head.decode[0], joined)), head.classify.weight)
    output = head([fine, _random(1, 3, 10, 16), deep])
    torch.testing.assert_close(output.logits, logits)
    torch.testing.assert_close(output.features, joined)
    assert output.auxiliary is output.regions is None
    assert head.out_channels == 5
    convolutions = [m for m in head.modules() if isinstance(m, nn.Conv2d)]
    assert all(convolution.bias is None for convolution in convolutions)


@torch.inference_mode()
def test_deeplabv3_stays_at_the_deep_features_size() -> None:
    head = _filled(DeepLabV3Head((4, 5), 6, 2))
    deep = _random(1, 5, 6, 9)
    projected = _block(head.project, head.context(deep))
    output = head([_random(1, 4, 21, 33), deep])
    torch.testing.assert_close(output.features, projected)
    torch.testing.assert_close(output.logits, head.classify(projected))


@torch.inference_mode()
def test_plain_head_attends_to_what_it_joins() -> None:
    head = _filled(PlainHead((2, 3), 4))
    fine, coarse = _random(1, 2, 8, 10), _random(1, 3, 4, 5)
    joined = torch.cat([fine, F.interpolate(coarse, size=(8, 10), mode="bilinear")], 1)
    output = head([fine, coarse])
    torch.testing.assert_close(output.features, joined)
    torch.testing.assert_close(output.logits, head.classify(_block(head.mix, joined)))
    assert head.mix.conv.bias is not None
    assert head.classify.bias is not None


@torch.inference_mode()
def test_ocr_aspp_stands_between_context_and_pixels() -> None:
    head = _filled(OCRHead((5,), 4, 6, 2, context=ASPP(6, 3)))
    feature = _random(1, 5, 9, 12)
    output = head([feature])
    pixels = head.pixels(feature)
    context = head.attend(pixels, output.regions)
    joined = torch.cat([context, head.context(pixels), pixels], 1)
    assert joined.shape[1] == 6 + 15 + 6
    torch.testing.assert_close(output.features, _block(head.merge, joined))
