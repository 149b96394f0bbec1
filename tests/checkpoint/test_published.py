"""Key tables, on a network of few channels: the published names follow the depth alone."""

from __future__ import annotations

import pytest

from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.models.registry import create_model

WIDTHS = {"width": 2, "mid_channels": 4, "key_channels": 4, "attention_channels": 4}


def test_every_tensor_has_one_name_each_way() -> None:
    own = list(create_model("hrnet48-ocr-hier", **WIDTHS).state_dict())
    published = [HRNET_OCR.to_published(name) for name in own]
    assert None not in published
    assert len(set(published)) == len(own)
    assert [HRNET_OCR.to_own(name) for name in published] == own


@pytest.mark.parametrize(
    ("published", "own"),
    [
        ("backbone.conv1.weight", "trunk.stem.0.conv.weight"),
        ("backbone.layer1.0.downsample.1.running_var", "trunk.stage1.0.shortcut.norm.running_var"),
        (
            "backbone.stage4.2.fuse_layers.3.0.1.0.weight",
            "trunk.stage4.2.exchange.3.0.1.conv.weight",
        ),
        ("backbone.stage4.2.fuse_layers.0.3.1.bias", "trunk.stage4.2.exchange.0.3.norm.bias"),
        ("ocr.conv3x3_ocr.1.0.bias", "head.pixels.norm.bias"),
        ("scale_attn.conv2.weight", "attention.weigh.weight"),
    ],
)
def test_examples(published: str, own: str) -> None:
    assert HRNET_OCR.to_own(published) == own
    assert HRNET_OCR.to_published(own) == published


def test_other_names_have_no_translation() -> None:
    for name in ("backbone.conv3.weight", "module.backbone.conv1.weight", "backbone.conv1", ""):
        assert HRNET_OCR.to_own(name) is None
    assert HRNET_OCR.to_published("fusion.weight") is None


def test_every_row_is_used() -> None:
    own = list(create_model("hrnet48-ocr-hier", **WIDTHS).state_dict())
    for row in HRNET_OCR.rows:
        assert any(KeyTable([row]).to_published(name) for name in own), row
