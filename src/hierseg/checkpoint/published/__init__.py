"""Key tables: the names of tensors in published checkpoints, and their names here."""

from hierseg.checkpoint.published.catalog import PUBLICATIONS, Publication
from hierseg.checkpoint.published.deeplab import (
    RESNET_DEEPLAB,
    VPLR_RESNET,
    VPLR_WIDE_RESNET,
    WIDE_RESNET_DEEPLAB,
    WIDE_RESNET_IMAGENET,
    XCEPTION_DEEPLAB,
    XCEPTION_IMAGENET,
)
from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.published.official_hrnet import (
    HRNET_IMAGENET,
    OFFICIAL_HRNET,
    OFFICIAL_HRNET_OCR,
)
from hierseg.checkpoint.published.paddleseg import PADDLESEG_HRNET_OCR

__all__ = [
    "HRNET_IMAGENET",
    "HRNET_OCR",
    "OFFICIAL_HRNET",
    "OFFICIAL_HRNET_OCR",
    "PADDLESEG_HRNET_OCR",
    "PUBLICATIONS",
    "RESNET_DEEPLAB",
    "VPLR_RESNET",
    "VPLR_WIDE_RESNET",
    "WIDE_RESNET_DEEPLAB",
    "WIDE_RESNET_IMAGENET",
    "XCEPTION_DEEPLAB",
    "XCEPTION_IMAGENET",
    "KeyTable",
    "Publication",
]
