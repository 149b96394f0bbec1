"""Networks on HRNetV2."""

from __future__ import annotations

from hierseg.errors import UsageError
from hierseg.models.aspp import ASPP
from hierseg.models.basic import BasicHead
from hierseg.models.combining import LARGEST_WIDTH, AttentionOptions, combine_scales
from hierseg.models.deeplab import PlainHead
from hierseg.models.hrnet import PUBLISHED, SMALL_V2, HRNet
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.pretrained import load_trunk_weights


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
    attention_even: bool = False,
    aspp: bool = False,
    aspp_channels: int | None = None,
    aspp_pool: int | None = None,
    head_bias: bool = True,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """HRNetV2 with the OCR head (METHOD section 1), on one scale or hierarchical (section 2).

    ``small`` is the published small v2 ("18s" with ``width`` 18). ``aspp`` makes the head OCR-ASPP;
    each branch then has ``aspp_channels``, or half of ``mid_channels`` if that is None. Without
    ``head_bias`` the head's convolutions before batch norms have no biases, as in mmsegmentation.
    """
    trunk = _build_hrnet(width, small, align_corners, pretrained)
    _refuse_idle(aspp, aspp_channels, aspp_pool)
    context: ASPP | None = None
    if aspp:
        branch = aspp_channels or mid_channels // 2
        context = ASPP(mid_channels, branch, pool=aspp_pool, align_corners=align_corners)
    head = OCRHead(
        trunk.channels,
        num_classes,
        mid_channels,
        key_channels,
        context=context,
        bias=head_bias,
        align_corners=align_corners,
    )
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, even=attention_even
    )
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
    attention_norm: bool = False,
    attention_even: bool = False,
    scales: tuple[float, ...] | None = None,
    train_scales: tuple[float, ...] | None = None,
    align_corners: bool = False,
    pretrained: bool = False,
) -> SegmentationNetwork:
    """HRNetV2 with its authors' plain head (arXiv 1908.07919); ``combine`` is one of
    ``combining.WAYS``.
    """
    trunk = _build_hrnet(width, small, align_corners, pretrained)
    head = PlainHead(trunk.channels, num_classes, align_corners=align_corners)
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, attention_norm, attention_even
    )
    return SegmentationNetwork(
        trunk,
        head,
        **combine_scales(combine, head.out_channels, options, scales, train_scales),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def build_hrnet_basic(
    *,
    num_classes: int = 19,
    width: int = 48,
    small: bool = False,
    aspp: bool = False,
    mid_channels: int = 256,
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
    """HRNetV2 with the original's plain head (METHOD section 3), with ``aspp`` behind an ASPP.

    ``combine`` is one of ``combining.WAYS``. ``aspp_channels`` are the channels of each branch of
    ASPP; None for ``mid_channels``.
    """
    _refuse_idle(aspp, aspp_channels, aspp_pool)
    trunk = _build_hrnet(width, small, align_corners, pretrained)
    head = BasicHead(
        trunk.channels,
        num_classes,
        mid_channels,
        aspp=aspp,
        context_channels=aspp_channels,
        pool=aspp_pool,
        align_corners=align_corners,
    )
    options = AttentionOptions(
        attention_channels, attention_second, attention_dropout, attention_norm, attention_even
    )
    return SegmentationNetwork(
        trunk,
        head,
        **combine_scales(combine, head.out_channels, options, scales, train_scales),
        num_classes=num_classes,
        align_corners=align_corners,
    )


def _refuse_idle(aspp: bool, channels: int | None, pool: int | None) -> None:
    """UsageError for settings of ASPP in a network without ASPP."""
    for name, value in (("aspp_channels", channels), ("aspp_pool", pool)):
        if value is not None and not aspp:
            raise UsageError(
                f"{name} {value} has no effect on a network without ASPP; leave it out."
            )


def _build_hrnet(width: int, small: bool, align_corners: bool, pretrained: bool) -> HRNet:
    if width > LARGEST_WIDTH:
        raise UsageError(f"HRNet's width cannot be {width}; give at most {LARGEST_WIDTH}.")
    trunk = HRNet(width, SMALL_V2 if small else PUBLISHED, align_corners)
    if pretrained:
        name = f"hrnet_w{width}" + ("_small_v2" if small else "")
        # At this location timm's features are the branches themselves, without its classifier's
        # layers.
        load_trunk_weights(trunk, name, {"features_only": True, "feature_location": ""})
    return trunk
