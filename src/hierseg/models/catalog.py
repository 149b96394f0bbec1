"""The registry's tables: networks by name, and the modules of their builders.

The ``--arch`` names of the original and of VPLR stand here too. Each maps to a network, or to a
refusal that names the nearest one. A network that no paper defines is refused, since nothing could
show that it computes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hierseg.errors import UserError

BUILDER_MODULES: Mapping[str, str] = {
    "deeper": "deeplab",
    "deeplab": "deeplab",
    "hrnet_basic": "hrnet",
    "hrnet_ocr": "hrnet",
    "hrnet_plain": "hrnet",
    "timm_ocr": "timm",
}
"""Builder -> its module in ``builders``; the function is ``build_`` and the builder's name."""


class ModelDescription(NamedTuple):
    """A row of the registry."""

    builder: str
    """Name of the builder."""
    arguments: dict[str, Any]
    """Arguments that differ from the builder's defaults."""
    summary: str
    """One line."""


def _lite(summary: str, size: int = 0, **arguments: Any) -> ModelDescription:
    """EfficientNet-Lite of a size with OCR, narrow; the rest by the builder's ``arguments``."""
    return ModelDescription(
        "timm_ocr",
        {
            "trunk": f"tf_efficientnet_lite{size}",
            "reduced_channels": 32,
            "mid_channels": 128,
            "key_channels": 64,
            "attention_channels": 64,
            **arguments,
        },
        f"EfficientNet-Lite{size}, OCR of 128 and 64 channels, {summary}",
    )


_HRNETS: dict[str, ModelDescription] = {
    "hrnet48-ocr-hier": ModelDescription(
        "hrnet_ocr", {"width": 48}, "HRNetV2-W48, OCR, hierarchical attention: HMSA's network"
    ),
    "hrnet48-ocr": ModelDescription(
        "hrnet_ocr", {"width": 48, "hierarchical": False}, "HRNetV2-W48, OCR, one scale"
    ),
    "hrnet32-ocr-hier": ModelDescription(
        "hrnet_ocr", {"width": 32}, "HRNetV2-W32, OCR, hierarchical attention"
    ),
    "hrnet18-ocr-hier": ModelDescription(
        "hrnet_ocr", {"width": 18}, "HRNetV2-W18, OCR, hierarchical attention"
    ),
    "hrnet18s-ocr-hier": ModelDescription(
        "hrnet_ocr",
        {"width": 18, "small": True},
        "HRNetV2-W18 small v2, OCR, hierarchical attention",
    ),
    "hrnet18-ocr": ModelDescription(
        "hrnet_ocr", {"width": 18, "hierarchical": False}, "HRNetV2-W18, OCR, one scale"
    ),
    "hrnet18s-ocr": ModelDescription(
        "hrnet_ocr",
        {"width": 18, "small": True, "hierarchical": False},
        "HRNetV2-W18 small v2, OCR, one scale",
    ),
    "lite0-ocr-hier": _lite("hierarchical attention; for CPUs"),
    "lite0-ocr": _lite("one scale", combine="average"),
    "lite0-ocr-explicit": _lite("explicit attention at 0.5 1 2", combine="explicit"),
    "lite0-ocr-paired": _lite("paired attention", combine="paired"),
    "lite1-ocr-hier": _lite("hierarchical attention; for CPUs", size=1),
    "lite2-ocr-hier": _lite("hierarchical attention; for CPUs", size=2),
}

_HRNETS |= {
    "hrnet48": ModelDescription("hrnet_plain", {"width": 48}, "HRNetV2-W48, plain head, one scale"),
    "hrnet48-hier": ModelDescription(
        "hrnet_plain",
        {"width": 48, "combine": "hierarchical"},
        "HRNetV2-W48, plain head, hierarchical attention",
    ),
    "hrnet48-paired": ModelDescription(
        "hrnet_plain",
        {"width": 48, "combine": "paired"},
        "HRNetV2-W48, plain head, paired attention",
    ),
    "hrnet48-basic": ModelDescription(
        "hrnet_basic", {"width": 48}, "HRNetV2-W48, HMSA's plain head, one scale"
    ),
    "hrnet48-basic-hier": ModelDescription(
        "hrnet_basic",
        {"width": 48, "combine": "hierarchical"},
        "HRNetV2-W48, HMSA's plain head, hierarchical attention",
    ),
    "hrnet48-aspp": ModelDescription(
        "hrnet_basic", {"width": 48, "aspp": True}, "HRNetV2-W48, ASPP, one scale"
    ),
    "hrnet48-aspp-hier": ModelDescription(
        "hrnet_basic",
        {"width": 48, "aspp": True, "combine": "hierarchical"},
        "HRNetV2-W48, ASPP, hierarchical attention",
    ),
    "hrnet48-ocraspp": ModelDescription(
        "hrnet_ocr",
        {"width": 48, "aspp": True, "hierarchical": False},
        "HRNetV2-W48, OCR with ASPP, one scale",
    ),
    "hrnet48-ocraspp-hier": ModelDescription(
        "hrnet_ocr",
        {"width": 48, "aspp": True},
        "HRNetV2-W48, OCR with ASPP, hierarchical attention",
    ),
}

_TRUNKS = {
    "wrn38": "WideResNet-38",
    "xception71": "Xception-71",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "seresnext50": "SE-ResNeXt-50",
    "seresnext101": "SE-ResNeXt-101",
}


def _deeplab(trunk: str, summary: str, **arguments: Any) -> ModelDescription:
    return ModelDescription("deeplab", {"trunk": trunk, **arguments}, summary)


_DEEPLABS: dict[str, ModelDescription] = {}
for _trunk, _title in _TRUNKS.items():
    _DEEPLABS[f"deeplabv3plus-{_trunk}"] = _deeplab(_trunk, f"DeepLabV3+, {_title}, one scale")
    _DEEPLABS[f"deeplabv3plus-{_trunk}-hier"] = _deeplab(
        _trunk, f"DeepLabV3+, {_title}, hierarchical attention", combine="hierarchical"
    )
for _trunk in ("wrn38", "seresnext50", "seresnext101", "resnet50"):
    _DEEPLABS[f"vplr-{_trunk}"] = _deeplab(
        _trunk,
        f"VPLR's DeepLabV3+, {_TRUNKS[_trunk]}, aligned corners, one scale",
        align_corners=True,
    )
_DEEPLABS |= {
    "deeplabv3-resnet50": _deeplab("resnet50", "DeepLabV3, ResNet-50, one scale", refined=False),
    "deeplabv3-resnet50-hier": _deeplab(
        "resnet50",
        "DeepLabV3, ResNet-50, hierarchical attention",
        refined=False,
        combine="hierarchical",
    ),
    "deeplabv3plus-resnet50-explicit": _deeplab(
        "resnet50", "DeepLabV3+, ResNet-50, explicit attention at 0.5 1 2", combine="explicit"
    ),
    "deeplabv3plus-resnet50-paired": _deeplab(
        "resnet50", "DeepLabV3+, ResNet-50, paired attention", combine="paired"
    ),
    "deeplabv3plus-wrn38-explicit": _deeplab(
        "wrn38", "DeepLabV3+, WideResNet-38, explicit attention at 0.5 1 2", combine="explicit"
    ),
    "deeplabv3plus-wrn38-fuse": _deeplab(
        "wrn38",
        "DeepLabV3+, WideResNet-38, hierarchical attention, which also passes ASPP upwards",
        combine="fuse",
    ),
    "deeplabv3plus-wrn38-fuse2": _deeplab(
        "wrn38",
        "DeepLabV3+, WideResNet-38, hierarchical attention, and one of its own passes ASPP upwards",
        combine="fuse2",
    ),
    "deeplabv3plus-resnet50-dpc": _deeplab(
        "resnet50", "DeepLabV3+ with a dense prediction cell, ResNet-50, one scale", cell=True
    ),
    "deeplabv3plus-resnet50-dpc-hier": _deeplab(
        "resnet50",
        "DeepLabV3+ with a dense prediction cell, ResNet-50, hierarchical attention",
        cell=True,
        combine="hierarchical",
    ),
}

for _trunk in ("wrn38", "xception71"):
    _DEEPLABS[f"deeper-{_trunk}"] = ModelDescription(
        "deeper",
        {"trunk": _trunk},
        f"ASPP and a decoder of two 5x5 convolutions, {_TRUNKS[_trunk]}, one scale",
    )
    _DEEPLABS[f"deeper-{_trunk}-hier"] = ModelDescription(
        "deeper",
        {"trunk": _trunk, "combine": "hierarchical"},
        f"ASPP and a decoder of two 5x5 convolutions, {_TRUNKS[_trunk]}, hierarchical attention",
    )

MODELS: Mapping[str, ModelDescription] = {**_HRNETS, **_DEEPLABS}

PUBLISHED_NAMES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ocrnet.HRNet": ("hrnet48-ocr", {}),
    "ocrnet.HRNet_Mscale": ("hrnet48-ocr-hier", {}),
    "deepv3.DeepV3PlusW38": ("deeplabv3plus-wrn38", {}),
    # I: all layers initialised anew, which every new network here is.
    "deepv3.DeepV3PlusW38I": ("deeplabv3plus-wrn38", {}),
    "deepv3.DeepV3PlusX71": ("deeplabv3plus-xception71", {}),
    "deepv3.DeepV3PlusR50": ("deeplabv3plus-resnet50", {}),
    "deepv3.DeepV3PlusSRNX50": ("deeplabv3plus-seresnext50", {}),
    "deepv3.DeepV3PlusSRNX101": ("deeplabv3plus-seresnext101", {}),
    "deepv3.DeepV3R50": ("deeplabv3-resnet50", {}),
    "mscale.DeepV3R50": ("deeplabv3plus-resnet50-hier", {}),
    "mscale.DeepV3W38": ("deeplabv3plus-wrn38-hier", {}),
    "mscale.DeepV3X71": ("deeplabv3plus-xception71-hier", {}),
    "mscale.DeepV3W38Fuse": ("deeplabv3plus-wrn38-fuse", {}),
    "mscale.DeepV3W38Fuse2": ("deeplabv3plus-wrn38-fuse2", {}),
    "mscale.DeeperW38": ("deeper-wrn38-hier", {}),
    "mscale.DeeperX71": ("deeper-xception71-hier", {}),
    "mscale.HRNet": ("hrnet48-basic-hier", {}),
    "mscale.HRNet_ASP": ("hrnet48-aspp-hier", {}),
    "mscale2.DeepV3R50": ("deeplabv3plus-resnet50-paired", {}),
    "mscale2.HRNet": ("hrnet48-basic", {"combine": "paired"}),
    "attnscale.DeepV3R50": ("deeplabv3plus-resnet50-explicit", {}),
    "attnscale.DeepV3R50B": ("deeplabv3plus-resnet50-explicit", {"attention_norm": True}),
    "attnscale.DeepV3W38": ("deeplabv3plus-wrn38-explicit", {}),
    "basic.HRNet": ("hrnet48-basic", {}),
    "basic.HRNet_ASP": ("hrnet48-aspp", {}),
    "deeper.DeeperW38": ("deeper-wrn38", {}),
    "deeper.DeeperX71": ("deeper-xception71", {}),
    "network.deepv3.DeepWV3Plus": ("vplr-wrn38", {}),
    "network.deepv3.DeepSRNX50V3PlusD_m1": ("vplr-seresnext50", {}),
    "network.deepv3.DeepSRNX101V3PlusD_m1": ("vplr-seresnext101", {}),
    "network.deepv3.DeepR50V3PlusD_m1": ("vplr-resnet50", {}),
}
"""Published name -> registry name, and arguments that differ from the registry's."""

REFUSED_NAMES: Mapping[str, tuple[str, str]] = {
    "attnscale.DeepV3R50BP": (
        "explicit attention on pairs of scales",
        "deeplabv3plus-resnet50-explicit",
    ),
}
"""Published name -> what is not built here, and the nearest registry name."""


def describe_published(name: str) -> ModelDescription | None:
    """The description behind a published name; None for any other name.

    Raises:
        UserError: A published network that is not built here; the message names the nearest one.
    """
    if name in REFUSED_NAMES:
        what, nearest = REFUSED_NAMES[name]
        raise UserError(
            f"the original's '{name}' ({what}) is not built here, as no paper defines it; the "
            f"nearest network is '{nearest}'."
        )
    if name not in PUBLISHED_NAMES:
        return None
    own, changes = PUBLISHED_NAMES[name]
    description = MODELS[own]
    return description._replace(arguments={**description.arguments, **changes})
