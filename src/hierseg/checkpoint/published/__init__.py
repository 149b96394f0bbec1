"""Key tables: the names of tensors in published checkpoints, and their names here."""

from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.checkpoint.published.key_table import KeyTable

__all__ = ["HRNET_OCR", "KeyTable"]
