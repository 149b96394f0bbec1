"""Builders: every number of a network stands once, here. A checkpoint names its builder."""

from __future__ import annotations

from hierseg.errors import UsageError
from hierseg.models.aspp import ASPP
from hierseg.models.combining import AttentionOptions, combine_scales
from hierseg.models.deeplab import DeepLabV3Head, DeepLabV3PlusHead, PlainHead
from hierseg.models.hrnet import PUBLISHED, SMALL_V2, HRNet
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.pretrained import load_trunk_weights, warn_of_random_weights
from hierseg.models.resnet import RESNETS, DilatedResNet
from hierseg.models.trunk import TimmTrunk, Trunk
from hierseg.models.wide_resnet import WideResNet38
from hierseg.models.xception import Xception71

# Twice the widest one published. Parameters grow with its square, and a checkpoint that asks for
# more is damaged.
LARGEST_WIDTH = 128
# Below it shortcuts with a stride have fewer than 16 channels, at which torch 2.14's oneDNN writes
# out of bounds in training.
NARROWEST_DILATED = 4


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
    aspp: bool = False,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """HRNetV2 with the OCR head, METHOD section 1, on one scale or hierarchical (section 2).

    ``small`` is the published small v2 ("18s" with ``width`` 18); ``aspp`` makes it OCR-ASPP, with
    half of ``mid_channels`` a branch.
    """
    trunk = _build_hrnet(width, small, align_corners, pretrained)
    context = ASPP(mid_channels, mid_channels // 2) if aspp else None
    head = OCRHead(
        trunk.channels,
        num_classes,
        mid_channels,
        key_channels,
        context=context,
        align_corners=align_corners,
    )
    options = AttentionOptions(attention_channels, attention_second, attention_dropout)
    way = "hierarchical" if hierarchical else "average"
    return SegmentationNetwork(
        trunk,
        head,
        **combine_scales(way, head.out_channels, options, scales, train_scales),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def build_hrnet_plain(
    *,
    num_classes: int = 19,
    width: int = 48,
    small: bool = False,
    combine: str = "average",
    attention_channels: int = 256,
    attention_second: bool = True,
    attention_dropout: float = 0.0,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """HRNetV2 with its own plain head; ``combine`` is one of ``combining.WAYS``."""
    trunk = _build_hrnet(width, small, align_corners, pretrained)
    head = PlainHead(trunk.channels, num_classes, align_corners=align_corners)
    options = AttentionOptions(attention_channels, attention_second, attention_dropout)
    return SegmentationNetwork(
        trunk,
        head,
        **combine_scales(combine, head.out_channels, options, scales, train_scales),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def build_deeplab(
    *,
    num_classes: int = 19,
    trunk: str = "wrn38",
    width: int = 64,
    shallow: bool = False,
    refined: bool = True,
    cell: bool = False,
    mid_channels: int = 256,
    fine_channels: int = 48,
    combine: str = "average",
    attention_channels: int = 256,
    attention_second: bool = True,
    attention_dropout: float = 0.0,
    attention_norm: bool = False,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """DeepLabV3+, METHOD section 3, or DeepLabV3 where it is not ``refined`` by a fine feature.

    ``trunk`` is "wrn38", "xception71" or a key of ``resnet.RESNETS``, ``width`` 64 as published,
    ``shallow`` leaves one block a stage; ``cell`` takes DPC instead of ASPP; ``combine`` is one of
    ``combining.WAYS``.
    """
    backbone = _build_dilated(trunk, width, shallow, pretrained)
    head: DeepLabV3PlusHead | DeepLabV3Head
    if refined:
        head = DeepLabV3PlusHead(
            backbone.channels,
            num_classes,
            mid_channels,
            fine_channels,
            cell=cell,
            align_corners=align_corners,
        )
    else:
        head = DeepLabV3Head(backbone.channels, num_classes, mid_channels, cell=cell)
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, attention_norm
    )
    return SegmentationNetwork(
        backbone,
        head,
        **combine_scales(combine, head.out_channels, options, scales, train_scales),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def _build_dilated(name: str, width: int, shallow: bool, pretrained: bool) -> Trunk:
    """A trunk at output stride 8."""
    if not NARROWEST_DILATED <= width <= LARGEST_WIDTH:
        raise UsageError(
            f"a trunk's width cannot be {width}; give {NARROWEST_DILATED} to {LARGEST_WIDTH}."
        )
    if name in RESNETS:
        return DilatedResNet(name, width, shallow, pretrained)
    trunks: dict[str, type[WideResNet38] | type[Xception71]] = {
        "wrn38": WideResNet38,
        "xception71": Xception71,
    }
    if name not in trunks:
        known = ", ".join([*trunks, *RESNETS])
        raise UsageError(f"there is no trunk {name!r:.40} at stride 8; give one of {known}.")
    if pretrained:
        warn_of_random_weights(name, "they are at no place that timm knows; convert a file of them")
    return trunks[name](width, shallow)


def _build_hrnet(width: int, small: bool, align_corners: bool, pretrained: bool) -> HRNet:
    if width > LARGEST_WIDTH:
        raise UsageError(f"HRNet's width cannot be {width}; {LARGEST_WIDTH} is the most.")
    trunk = HRNet(width, SMALL_V2 if small else PUBLISHED, align_corners)
    if pretrained:
        name = f"hrnet_w{width}" + ("_small_v2" if small else "")
        # timm's features at this location are the branches themselves, with nothing behind them.
        load_trunk_weights(trunk, name, {"features_only": True, "feature_location": ""})
    return trunk


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
    options = AttentionOptions(attention_channels, attention_second, attention_dropout)
    way = "hierarchical" if hierarchical else "average"
    return SegmentationNetwork(
        backbone,
        head,
        **combine_scales(way, head.out_channels, options, scales, train_scales, default=(0.5, 1.0)),
        num_classes=num_classes,
        mean=mean,
        std=std,
        align_corners=align_corners,
    )
