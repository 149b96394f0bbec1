"""DeepLabV3+ and DeepLabV3 on dilated trunks."""

from __future__ import annotations

from hierseg.errors import UsageError
from hierseg.models.combining import LARGEST_WIDTH, AttentionOptions, combine_scales
from hierseg.models.deeplab import DeepLabV3Head, DeepLabV3PlusHead
from hierseg.models.network import SegmentationNetwork
from hierseg.models.pretrained import warn_of_random_weights
from hierseg.models.resnet import RESNETS, DilatedResNet
from hierseg.models.trunk import Trunk
from hierseg.models.wide_resnet import WideResNet38
from hierseg.models.xception import Xception71

# Below it shortcuts with a stride have fewer than 16 channels, at which torch 2.14's oneDNN writes
# out of bounds in training.
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
