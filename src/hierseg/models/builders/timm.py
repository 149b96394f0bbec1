"""Networks on timm's backbones."""

from __future__ import annotations

from hierseg.models.combining import AttentionOptions, combine_scales
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.trunk import TimmTrunk


def build_timm_ocr(
    *,
    num_classes: int = 19,
    trunk: str = "tf_efficientnet_lite0",
    finest_stride: int = 4,
    reduced_channels: int = 64,
    hierarchical: bool = True,
    combine: str = "hierarchical",
    mid_channels: int = 256,
    key_channels: int = 128,
    attention_channels: int = 128,
    attention_second: bool = True,
    attention_dropout: float = 0.0,
    attention_norm: bool = False,
    attention_even: bool = False,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """Any timm backbone with the OCR head; each feature is reduced to ``reduced_channels``.

    ``combine`` is one of ``combining.WAYS``; without ``hierarchical`` it is average, as files of
    one scale say it.
    """
    backbone = TimmTrunk(trunk, finest_stride, pretrained)
    mean, std = backbone.mean, backbone.std
    if trunk.startswith("tf_efficientnet_lite"):
        # Their ImageNet weights were trained on (rgb - 127) / 128, which timm's record rounds.
        mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    head = OCRHead(
        backbone.channels,
        num_classes,
        mid_channels,
        key_channels,
        reduced=reduced_channels,
        align_corners=align_corners,
    )
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, attention_norm, attention_even
    )
    way = combine if hierarchical else "average"
    return SegmentationNetwork(
        backbone,
        head,
        **combine_scales(way, head.out_channels, options, scales, train_scales, default=(0.5, 1.0)),
        num_classes=num_classes,
        mean=mean,
        std=std,
        align_corners=align_corners,
    )
