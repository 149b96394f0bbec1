"""The object-contextual head, against METHOD section 1 transcribed naively."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.models.ocr import FeatureJoin, OCRHead

CHANNELS = (3, 5)


@pytest.fixture
def head() -> OCRHead:
    torch.manual_seed(0)
    head = OCRHead(CHANNELS, num_classes=4, mid_channels=6, key_channels=2)
    for module in head.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return head.eval()


@pytest.fixture
def features() -> list[Tensor]:
    return [torch.randn(2, 3, 7, 9), torch.randn(2, 5, 4, 5)]


def _transcribed(head: OCRHead, features: list[Tensor]) -> tuple[Tensor, Tensor]:
    coarse = F.interpolate(features[1], size=(7, 9), mode="bilinear", align_corners=False)
    x = torch.cat([features[0], coarse], 1)
    auxiliary = head.auxiliary(x)
    pixels = head.pixels(x)
    b, c, h, w = pixels.shape
    regions = torch.zeros(b, c, 4)
    for i in range(b):
        for k in range(4):
            share = auxiliary[i, k].flatten().softmax(0).view(h, w)
            regions[i, :, k] = (pixels[i] * share).sum((1, 2))
    attend = head.attend
    query = attend.query(pixels)
    key = attend.key(regions[..., None])[..., 0]
    value = attend.value(regions[..., None])[..., 0]
    context = torch.zeros(b, 2, h, w)
    for i in range(b):
        for row in range(h):
            for column in range(w):
                similarity = query[i, :, row, column] @ key[i] * 2**-0.5
                context[i, :, row, column] = value[i] @ similarity.softmax(0)
    merged = head.merge(torch.cat([attend.expand(context), pixels], 1))
    return head.classify(merged), auxiliary


@torch.no_grad()
def test_is_what_the_method_says(head: OCRHead, features: list[Tensor]) -> None:
    output = head(features)
    logits, auxiliary = _transcribed(head, features)
    torch.testing.assert_close(output.logits, logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output.auxiliary, auxiliary)
    assert output.features.shape == (2, 6, 7, 9)
    assert output.regions.shape == (2, 6, 4)


@torch.no_grad()
def test_a_part_can_use_the_regions_of_the_whole(head: OCRHead, features: list[Tensor]) -> None:
    # The 3x3 convolution sees one pixel around; the coarse feature is the same everywhere.
    features[1] = torch.randn(2, 5, 1, 1).expand(2, 5, 4, 5)
    whole = head(features)
    part = [features[0][..., 3:], features[1]]
    given = head(part, whole.regions)
    torch.testing.assert_close(given.logits[..., 1:], whole.logits[..., 4:])
    assert not torch.allclose(head(part).logits[..., 1:], whole.logits[..., 4:])


def test_biases_are_where_the_method_has_them(head: OCRHead) -> None:
    biased = {
        name
        for name, module in head.named_modules()
        if isinstance(module, nn.Conv2d) and module.bias is not None
    }
    assert biased == {"pixels.conv", "auxiliary.0.conv", "auxiliary.1", "classify"}


def test_drops_whole_channels_in_training(head: OCRHead, features: list[Tensor]) -> None:
    head.dropout.p = 0.5
    output = head.train()(features).features
    dropped = (output == 0).all(dim=3).all(dim=2)
    assert dropped.any()
    assert not dropped.all()


@torch.no_grad()
def test_join_reduces_channels_before_it_resizes() -> None:
    join = FeatureJoin(CHANNELS, reduced=2).eval()
    fine, coarse = torch.randn(1, 3, 8, 8), torch.randn(1, 5, 4, 4)
    assert join.out_channels == 4
    joined = join([fine, coarse])
    torch.testing.assert_close(joined[:, :2], join.reduce[0](fine))
    expected = F.interpolate(join.reduce[1](coarse), size=(8, 8), mode="bilinear")
    torch.testing.assert_close(joined[:, 2:], expected)
