"""The publications: the network and the key table of each."""

from __future__ import annotations

from typing import NamedTuple

from hierseg.checkpoint.published.deeplab import (
    DEEPER_WIDE_RESNET,
    DEEPER_WIDE_RESNET_HIER,
    DEEPER_XCEPTION,
    DEEPER_XCEPTION_HIER,
    RESNET_DEEPLAB,
    VPLR_RESNET,
    VPLR_WIDE_RESNET,
    WIDE_RESNET_DEEPLAB,
    XCEPTION_DEEPLAB,
)
from hierseg.checkpoint.published.hrnet_basic import HRNET_ASPP, HRNET_BASIC, HRNET_BASIC_HIER
from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.published.mmsegmentation import MMSEGMENTATION_OCRNET
from hierseg.checkpoint.published.official_hrnet import OFFICIAL_HRNET, OFFICIAL_HRNET_OCR
from hierseg.checkpoint.published.paddleseg import PADDLESEG_HRNET_OCR


class Publication(NamedTuple):
    """A kind of published checkpoint.

    Attributes:
        table: Its names of tensors and hierseg's.
        model: The registry name of its network.
        arguments: Arguments of ``create_model`` that differ from the registry's.
        arch: The arch that the file must state if another network has the same tensors; None if
            the tensors tell them apart.
    """

    table: KeyTable
    model: str
    arguments: dict[str, bool] = {}  # noqa: RUF012 - read alone
    arch: str | None = None


PUBLICATIONS: dict[str, Publication] = {
    "hrnet-ocr-hier": Publication(HRNET_OCR, "hrnet48-ocr-hier"),
    "hrnet-ocr": Publication(HRNET_OCR, "hrnet48-ocr"),
    "deeplabv3plus-wrn38": Publication(WIDE_RESNET_DEEPLAB, "deeplabv3plus-wrn38"),
    "deeplabv3plus-wrn38-hier": Publication(WIDE_RESNET_DEEPLAB, "deeplabv3plus-wrn38-hier"),
    "deeplabv3plus-wrn38-fuse": Publication(
        WIDE_RESNET_DEEPLAB, "deeplabv3plus-wrn38-fuse", arch="mscale.DeepV3W38Fuse"
    ),
    "deeplabv3plus-wrn38-fuse2": Publication(WIDE_RESNET_DEEPLAB, "deeplabv3plus-wrn38-fuse2"),
    "deeper-wrn38": Publication(DEEPER_WIDE_RESNET, "deeper-wrn38"),
    "deeper-wrn38-hier": Publication(DEEPER_WIDE_RESNET_HIER, "deeper-wrn38-hier"),
    "deeper-xception71": Publication(DEEPER_XCEPTION, "deeper-xception71"),
    "deeper-xception71-hier": Publication(DEEPER_XCEPTION_HIER, "deeper-xception71-hier"),
    "hrnet-basic": Publication(HRNET_BASIC, "hrnet48-basic"),
    "hrnet-basic-hier": Publication(HRNET_BASIC_HIER, "hrnet48-basic-hier"),
    "hrnet-aspp": Publication(HRNET_ASPP, "hrnet48-aspp"),
    "hrnet-aspp-hier": Publication(HRNET_ASPP, "hrnet48-aspp-hier"),
    "deeplabv3plus-xception71": Publication(XCEPTION_DEEPLAB, "deeplabv3plus-xception71"),
    "deeplabv3plus-xception71-hier": Publication(XCEPTION_DEEPLAB, "deeplabv3plus-xception71-hier"),
    "deeplabv3plus-resnet50": Publication(RESNET_DEEPLAB, "deeplabv3plus-resnet50"),
    "deeplabv3plus-resnet50-hier": Publication(RESNET_DEEPLAB, "deeplabv3plus-resnet50-hier"),
    "deeplabv3plus-seresnext50": Publication(RESNET_DEEPLAB, "deeplabv3plus-seresnext50"),
    "deeplabv3plus-seresnext101": Publication(RESNET_DEEPLAB, "deeplabv3plus-seresnext101"),
    "vplr-wrn38": Publication(VPLR_WIDE_RESNET, "vplr-wrn38"),
    "vplr-seresnext50": Publication(VPLR_RESNET, "vplr-seresnext50"),
    "vplr-seresnext101": Publication(VPLR_RESNET, "vplr-seresnext101"),
    "vplr-resnet50": Publication(VPLR_RESNET, "vplr-resnet50"),
    "official-hrnet-ocr": Publication(OFFICIAL_HRNET_OCR, "hrnet48-ocr", {"align_corners": True}),
    "official-hrnet": Publication(OFFICIAL_HRNET, "hrnet48"),
    "mmsegmentation-hrnet-ocr": Publication(
        MMSEGMENTATION_OCRNET, "hrnet48-ocr", {"head_bias": False}
    ),
    "paddleseg-hrnet-ocr": Publication(PADDLESEG_HRNET_OCR, "hrnet48-ocr-hier"),
}
"""Publications by a short name. Of the ResNets only ``vplr-seresnext50`` could be compared with a
published list of tensors; the others share its rows."""
