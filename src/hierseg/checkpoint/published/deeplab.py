"""The published DeepLabV3+ networks: the original's, with a ``backbone``, and VPLR's, without.

Letters: m module of WideResNet, l layer of ResNet, b block, k convolution in a block.
"""

from __future__ import annotations

from hierseg.checkpoint.published.hrnet_ocr import ATTENTION_ROWS
from hierseg.checkpoint.published.key_table import KeyTable

Rows = tuple[tuple[str, str], ...]


def wide_resnet_rows(prefix: str = "") -> Rows:
    """WideResNet-38, its layers behind ``prefix`` in the publication."""
    block, own = f"{prefix}mod{{m+2}}.block{{b+1}}", "trunk.stages.{m}.{b}"
    return (
        (f"{prefix}mod1.conv1", "trunk.stem"),
        (f"{block}.bn1.0", f"{own}.norms.0"),
        (f"{block}.convs.conv{{k+1}}", f"{own}.convs.{{k}}"),
        (f"{block}.convs.bn{{k+1}}.0", f"{own}.norms.{{k}}"),
        (f"{block}.proj_conv", f"{own}.shortcut"),
    )


def _separable_rows(published: str, norm: str, own: str) -> Rows:
    return (
        (f"{published}.conv1", f"{own}.depthwise"),
        (f"{published}.bn", f"{own}.inner_norm"),
        (f"{published}.pointwise", f"{own}.pointwise"),
        (norm, f"{own}.norm"),
    )


def xception_rows(prefix: str = "") -> Rows:
    """Xception-71, its layers behind ``prefix`` in the publication.

    The publication numbers a block's convolutions together with norms and ReLUs. Convolutions are
    at 0, 3, 6 if no ReLU comes first (blocks 1 and 2), else at 1, 4, 7.
    """
    rows: list[tuple[str, str]] = []
    for index in range(2):
        rows.append((f"{prefix}conv{index + 1}", f"trunk.stem.{index}.conv"))
        rows.append((f"{prefix}bn{index + 1}", f"trunk.stem.{index}.norm"))
    rows.append((f"{prefix}block{{b+1}}.skip", "trunk.blocks.{b}.shortcut.conv"))
    rows.append((f"{prefix}block{{b+1}}.skipbn", "trunk.blocks.{b}.shortcut.norm"))
    for block in range(20):
        first = 0 if block < 2 else 1
        for index in range(2 if block == 1 else 3):
            place = first + 3 * index
            rep = f"{prefix}block{block + 1}.rep"
            own = f"trunk.blocks.{block}.convs.{index}"
            rows.extend(_separable_rows(f"{rep}.{place}", f"{rep}.{place + 1}", own))
    for index in range(3):
        # hierseg's sequence has a ReLU between every two convolutions.
        own = f"trunk.exit.{2 * index}"
        rows.extend(
            _separable_rows(f"{prefix}conv{index + 3}", f"{prefix}bn{index + 3}", own),
        )
    return tuple(rows)


def resnet_rows(prefix: str = "") -> Rows:
    """ResNets and SE-ResNeXts, their layers behind ``prefix``; the stem is ``layer0`` there."""
    block, own = f"{prefix}layer{{l}}.{{b}}", "trunk.backbone.layer{l}.{b}"
    return (
        (f"{prefix}layer0.conv1", "trunk.backbone.conv1"),
        (f"{prefix}layer0.bn1", "trunk.backbone.bn1"),
        (f"{block}.conv{{k}}", f"{own}.conv{{k}}"),
        (f"{block}.bn{{k}}", f"{own}.bn{{k}}"),
        (f"{block}.se_module.fc{{k}}", f"{own}.se.fc{{k}}"),
        (f"{block}.downsample.{{k}}", f"{own}.downsample.{{k}}"),
    )


ASPP_ROWS: Rows = (
    ("aspp.img_conv.0", "head.context.pooled.conv"),
    ("aspp.img_conv.1", "head.context.pooled.norm"),
    ("aspp.features.{b}.0", "head.context.branches.{b}.conv"),
    ("aspp.features.{b}.1", "head.context.branches.{b}.norm"),
)


def decoder_rows(prefix: str) -> Rows:
    """Two 3x3 convolutions and the logits, in a sequence named ``prefix``."""
    return (
        (f"{prefix}.0", "head.decode.0.conv"),
        (f"{prefix}.1", "head.decode.0.norm"),
        (f"{prefix}.3", "head.decode.1.conv"),
        (f"{prefix}.4", "head.decode.1.norm"),
        (f"{prefix}.6", "head.classify"),
    )


_HEAD: Rows = (
    *ASPP_ROWS,
    ("bot_aspp", "head.reduce_context"),
    ("bot_fine", "head.reduce_fine"),
    *decoder_rows("final"),
)
_DEEPER: Rows = (
    *ASPP_ROWS,
    ("conv_up1", "head.reduce_context"),
    ("convs4", "head.reduce_middle"),
    ("convs2", "head.reduce_fine"),
    ("conv_up2.conv", "head.decode_middle.conv"),
    ("conv_up2.bn", "head.decode_middle.norm"),
    ("conv_up3.conv", "head.decode_fine.conv"),
    ("conv_up3.bn", "head.decode_fine.norm"),
    ("conv_up5", "head.classify"),
)

WIDE_RESNET_DEEPLAB = KeyTable(wide_resnet_rows("backbone.") + _HEAD + ATTENTION_ROWS)
XCEPTION_DEEPLAB = KeyTable(xception_rows("backbone.") + _HEAD + ATTENTION_ROWS)
RESNET_DEEPLAB = KeyTable(resnet_rows("backbone.") + _HEAD + ATTENTION_ROWS)
# The trunk has another name in one-scale networks.
DEEPER_WIDE_RESNET = KeyTable(wide_resnet_rows("trunk.") + _DEEPER)
DEEPER_XCEPTION = KeyTable(xception_rows("trunk.") + _DEEPER)
DEEPER_WIDE_RESNET_HIER = KeyTable(wide_resnet_rows("backbone.") + _DEEPER + ATTENTION_ROWS)
DEEPER_XCEPTION_HIER = KeyTable(xception_rows("backbone.") + _DEEPER + ATTENTION_ROWS)
VPLR_WIDE_RESNET = KeyTable(wide_resnet_rows() + _HEAD)
VPLR_RESNET = KeyTable(resnet_rows() + _HEAD)

WIDE_RESNET_IMAGENET = KeyTable(wide_resnet_rows())
"""The trunk of an ImageNet classifier; the classification layers have no row."""
XCEPTION_IMAGENET = KeyTable(xception_rows())
"""The trunk of an ImageNet classifier; the classification layers have no row."""
