"""DeepLabV3+ and DeepLabV3 on dilated trunks."""

from __future__ import annotations

from typing import Any

from hierseg.errors import UsageError
from hierseg.models.combining import (
    LARGEST_WIDTH,
    PASSING,
    AttentionOptions,
    combine_scales,
)
from hierseg.models.deeper import DeeperHead
from hierseg.models.deeplab import DeepLabV3Head, DeepLabV3PlusHead
from hierseg.models.network import SegmentationNetwork
from hierseg.models.passing import PassingHead
from hierseg.models.pretrained import warn_of_random_weights
from hierseg.models.resnet import RESNETS, DilatedResNet
from hierseg.models.trunk import Trunk
from hierseg.models.wide_resnet import WideResNet38
from hierseg.models.xception import Xception71

# A narrower trunk has strided shortcuts of fewer than 16 channels, for which torch 2.14's oneDNN
# writes out of bounds in training.
NARROWEST_DILATED = 4


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
    attention_even: bool = False,
    aspp_channels: int | None = None,
    aspp_pool: int | None = None,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """DeepLabV3+ (arXiv 1802.02611; METHOD section 3), or DeepLabV3 without ``refined``.

    ``trunk`` is "wrn38", "xception71" or a key of ``resnet.RESNETS``. ``width`` is 64 as published.
    ``shallow`` keeps one block a stage. ``cell`` takes a dense prediction cell instead of ASPP.
    ``combine`` is one of ``combining.WAYS``, or with ``refined`` one of ``combining.PASSING``.
    ``aspp_channels`` are the channels of each branch of ASPP or the cell; None for
    ``mid_channels``.
    """
    backbone = _build_dilated(trunk, width, shallow, pretrained)
    context: dict[str, Any] = {
        "cell": cell,
        "context_channels": aspp_channels,
        "pool": aspp_pool,
        "align_corners": align_corners,
    }
    widths = (backbone.channels, num_classes, mid_channels)
    head: DeepLabV3PlusHead | DeepLabV3Head
    if refined:
        kind = PassingHead if combine in PASSING else DeepLabV3PlusHead
        head = kind(*widths, fine_channels, **context)
    else:
        head = DeepLabV3Head(*widths, **context)
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, attention_norm, attention_even
    )
    return SegmentationNetwork(
        backbone,
        head,
        **combine_scales(combine, head.out_channels, options, scales, train_scales, passes=refined),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def build_deeper(
    *,
    num_classes: int = 19,
    trunk: str = "wrn38",
    width: int = 64,
    shallow: bool = False,
    mid_channels: int = 256,
    fine_channels: int = 32,
    middle_channels: int = 64,
    combine: str = "average",
    attention_channels: int = 256,
    attention_second: bool = True,
    attention_dropout: float = 0.0,
    attention_norm: bool = False,
    attention_even: bool = False,
    aspp_channels: int | None = None,
    aspp_pool: int | None = None,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """Deeper, METHOD section 3: ASPP and a decoder of two 5x5 convolutions.

    ``trunk`` is "wrn38" or "xception71", which have a feature at stride 4. The other arguments are
    those of ``build_deeplab``.
    """
    backbone = _build_dilated(trunk, width, shallow, pretrained, middle=True)
    head = DeeperHead(
        backbone.channels,
        num_classes,
        mid_channels,
        fine_channels,
        middle_channels,
        context_channels=aspp_channels,
        pool=aspp_pool,
        align_corners=align_corners,
    )
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, attention_norm, attention_even
    )
    return SegmentationNetwork(
        backbone,
        head,
        **combine_scales(combine, head.out_channels, options, scales, train_scales),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def _build_dilated(
    name: str, width: int, shallow: bool, pretrained: bool, middle: bool = False
) -> Trunk:
    """A trunk at output stride 8, with a ``middle`` feature at stride 4 if asked for."""
    if not NARROWEST_DILATED <= width <= LARGEST_WIDTH:
        raise UsageError(
            f"a trunk's width cannot be {width}; give {NARROWEST_DILATED} to {LARGEST_WIDTH}."
        )
    if name in RESNETS and not middle:
        return DilatedResNet(name, width, shallow, pretrained)
    trunks: dict[str, type[WideResNet38] | type[Xception71]] = {
        "wrn38": WideResNet38,
        "xception71": Xception71,
    }
    if name not in trunks:
        known = ", ".join([*trunks, *(() if middle else RESNETS)])
        raise UsageError(f"there is no trunk {name!r:.40} at stride 8; give one of {known}.")
    if pretrained:
        warn_of_random_weights(name, "timm has none for it; give a file with --model.init-trunk")
    return trunks[name](width, shallow, middle)
