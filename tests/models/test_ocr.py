"""The object-contextual head, against METHOD section 1 transcribed naively."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.engines.live import LiveBytes
from hierseg.models.hierarchical import ScaleAttention
from hierseg.models.ocr import FeatureJoin, OCRHead
from hierseg.models.registry import create_model

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


@pytest.fixture
def by_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of two rows, however small the features are."""
    monkeypatch.setattr("hierseg.models.ocr.BAND_BYTES", 1)
    monkeypatch.setattr("hierseg.models.ocr.FEWEST_ROWS", 2)


@pytest.mark.usefixtures("by_bands")
@pytest.mark.parametrize("kept_bytes", [0, 10**9])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("aligned", [False, True])
@torch.no_grad()
def test_bands_give_what_the_whole_gives(
    head: OCRHead,
    features: list[Tensor],
    kept_bytes: int,
    second: bool,
    aligned: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hierseg.models.ocr.KEPT_BYTES", kept_bytes)
    head.join.align_corners = aligned
    attention = ScaleAttention(6, 5, second=second).eval()
    assert head.takes_bands(features)
    whole = head(features)
    for regions in (None, torch.randn_like(whole.regions)):
        expected = head(features, regions)
        given = list(features)
        found = head.run_in_bands(given, regions, attention)
        assert given == []
        assert found.features is None
        for name in ("logits", "auxiliary", "regions"):
            values = getattr(expected, name)
            torch.testing.assert_close(getattr(found, name), values, rtol=1e-5, atol=1e-5)
        weight = attention(expected.features)
        torch.testing.assert_close(found.attention, weight, rtol=1e-5, atol=1e-5)
    assert head.run_in_bands(list(features)).attention is None


@pytest.mark.usefixtures("by_bands")
@pytest.mark.parametrize("kept_bytes", [0, 10**9])
@torch.no_grad()
def test_bands_never_hold_the_joined_features_whole(
    head: OCRHead, kept_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hierseg.models.ocr.KEPT_BYTES", kept_bytes)
    size, peaks = (60, 40), []
    for run in (head, head.run_in_bands):
        features = [torch.randn(1, 3, *size), torch.randn(1, 5, 30, 20)]
        with LiveBytes() as live:
            run(features)
        peaks.append(live.peak / (4 * 60 * 40))
    whole, by_bands = peaks  # floats a pixel: joined 8, pixels 6, and others of 6
    assert whole > 20
    assert by_bands < (20 if kept_bytes else 14)  # the logits' 4, twice while they are joined


@torch.no_grad()
def test_bands_are_for_large_maps_in_evaluation(
    head: OCRHead, features: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not head.takes_bands(features)
    monkeypatch.setattr("hierseg.models.ocr.BAND_BYTES", 1)
    monkeypatch.setattr("hierseg.models.ocr.FEWEST_ROWS", 2)
    assert head.takes_bands(features)
    with torch.enable_grad():
        assert not head.takes_bands(features)
    assert not head.train().takes_bands(features)


@pytest.mark.slow
@pytest.mark.usefixtures("by_bands")
def test_a_network_takes_bands_where_nobody_wants_the_features() -> None:
    torch.manual_seed(0)
    network = create_model("hrnet18s-ocr-hier", 4).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        whole, found = network.forward_scale(image, features=True), network.forward_scale(image)
        assert found.features is None
        assert network.forward_scale(image, attention=False).attention is None
    for name in ("logits", "attention"):
        torch.testing.assert_close(getattr(found, name), getattr(whole, name), rtol=1e-4, atol=1e-4)
    exported = torch.export.export(network, (torch.rand(1, 3, 64, 96),), {"scales": (1.0,)})
    resized = [node for node in exported.graph.nodes if "matmul" in str(node.target)]
    assert len(resized) < 12  # those of the attention and the regions, once
