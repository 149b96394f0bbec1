"""Builders: every number of a network stands once, here. A checkpoint names its builder."""

from __future__ import annotations

from hierseg.errors import UsageError
from hierseg.models.fusion import AverageFusion, Fusion, HierarchicalFusion
from hierseg.models.hrnet import PUBLISHED, SMALL_V2, HRNet
from hierseg.models.network import IMAGENET_MEAN, IMAGENET_STD, SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.pretrained import load_trunk_weights
from hierseg.models.scale_attention import ScaleAttention
from hierseg.models.trunk import TimmTrunk

# Twice the widest one published. Parameters grow with its square, and a checkpoint that asks for
# more is damaged.
LARGEST_WIDTH = 128


def build_hrnet_ocr(
    *,
    num_classes: int = 19,
    width: int = 48,
    small: bool = False,
    hierarchical: bool = True,
    mid_channels: int = 512,
    key_channels: int = 256,
    attention_channels: int = 256,
    attention_second: bool = True,
    attention_dropout: float = 0.0,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """HRNetV2 with the OCR head, METHOD section 1, on one scale or hierarchical (section 2).

    ``small`` is the published small v2 ("18s" with ``width`` 18).
    """
    if width > LARGEST_WIDTH:
        raise UsageError(f"HRNet's width cannot be {width}; {LARGEST_WIDTH} is the most.")
    trunk = HRNet(width, SMALL_V2 if small else PUBLISHED, align_corners)
    if pretrained:
        name = f"hrnet_w{width}" + ("_small_v2" if small else "")
        # timm's features at this location are the branches themselves, with nothing behind them.
        load_trunk_weights(trunk, name, {"features_only": True, "feature_location": ""})
    head = OCRHead(
        trunk.channels, num_classes, mid_channels, key_channels, align_corners=align_corners
    )
    attention, fusion = _scale_parts(
        hierarchical, head, attention_channels, attention_second, attention_dropout
    )
    return SegmentationNetwork(
        trunk,
        head,
        attention,
        fusion,
        num_classes=num_classes,
        scales=scales or ((0.5, 1.0, 2.0) if hierarchical else (1.0,)),
        train_scales=train_scales or ((0.5, 1.0) if hierarchical else (1.0,)),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        align_corners=align_corners,
    )


def build_timm_ocr(
    *,
    num_classes: int = 19,
    trunk: str = "tf_efficientnet_lite0",
    finest_stride: int = 4,
    reduced_channels: int = 64,
    hierarchical: bool = True,
    mid_channels: int = 256,
    key_channels: int = 128,
    attention_channels: int = 128,
    attention_second: bool = True,
    attention_dropout: float = 0.0,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """Any timm backbone with the OCR head; each feature is reduced to ``reduced_channels``."""
    backbone = TimmTrunk(trunk, finest_stride, pretrained)
    mean, std = backbone.mean, backbone.std
    if trunk == "tf_efficientnet_lite0":
        # Its ImageNet weights were trained on (rgb - 127) / 128, which timm's record rounds.
        mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    head = OCRHead(
        backbone.channels,
        num_classes,
        mid_channels,
        key_channels,
        reduced=reduced_channels,
        align_corners=align_corners,
    )
    attention, fusion = _scale_parts(
        hierarchical, head, attention_channels, attention_second, attention_dropout
    )
    return SegmentationNetwork(
        backbone,
        head,
        attention,
        fusion,
        num_classes=num_classes,
        scales=scales or ((0.5, 1.0) if hierarchical else (1.0,)),
        train_scales=train_scales or ((0.5, 1.0) if hierarchical else (1.0,)),
        mean=mean,
        std=std,
        align_corners=align_corners,
    )


def _scale_parts(
    hierarchical: bool, head: OCRHead, channels: int, second: bool, dropout: float
) -> tuple[ScaleAttention | None, Fusion]:
    """The attention over scales, and the fusion that goes with it."""
    if not hierarchical:
        return None, AverageFusion()
    if not 0 <= dropout < 1:
        raise UsageError(f"attention_dropout {dropout:g} is not a probability below 1.")
    attention = ScaleAttention(head.out_channels, channels, second=second, dropout=dropout)
    return attention, HierarchicalFusion()
