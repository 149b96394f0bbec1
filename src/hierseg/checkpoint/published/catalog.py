"""Which network and which table a publication's names belong to."""

from __future__ import annotations

from typing import NamedTuple

from hierseg.checkpoint.published.deeplab import (
    RESNET_DEEPLAB,
    VPLR_RESNET,
    VPLR_WIDE_RESNET,
    WIDE_RESNET_DEEPLAB,
    XCEPTION_DEEPLAB,
)
from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.published.official_hrnet import OFFICIAL_HRNET, OFFICIAL_HRNET_OCR
from hierseg.checkpoint.published.paddleseg import PADDLESEG_HRNET_OCR


class Publication(NamedTuple):
    """A kind of published checkpoint.

    Attributes:
        table: Its names against the names here.
        model: The registry name of its network.
        arguments: Arguments of ``create_model`` that differ from the registry's.
    """

    table: KeyTable
    model: str
    arguments: dict[str, bool] = {}  # noqa: RUF012 - read alone


PUBLICATIONS: dict[str, Publication] = {
    "hrnet-ocr-hier": Publication(HRNET_OCR, "hrnet48-ocr-hier"),
    "hrnet-ocr": Publication(HRNET_OCR, "hrnet48-ocr"),
    "deeplabv3plus-wrn38": Publication(WIDE_RESNET_DEEPLAB, "deeplabv3plus-wrn38"),
    "deeplabv3plus-wrn38-hier": Publication(WIDE_RESNET_DEEPLAB, "deeplabv3plus-wrn38-hier"),
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
    "paddleseg-hrnet-ocr": Publication(PADDLESEG_HRNET_OCR, "hrnet48-ocr-hier"),
}
"""By a short name. Only of ``vplr-seresnext50`` is a manifest at hand among the ResNets: the rows
of the others are its rows."""
