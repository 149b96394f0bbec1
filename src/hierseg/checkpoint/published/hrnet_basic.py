"""The original's HRNets without OCR: the plain head, and ASPP before it."""

from __future__ import annotations

from hierseg.checkpoint.published.deeplab import ASPP_ROWS, decoder_rows
from hierseg.checkpoint.published.hrnet_ocr import ATTENTION_ROWS, TRUNK_ROWS
from hierseg.checkpoint.published.key_table import KeyTable

# The head has another name in one-scale networks.
HRNET_BASIC = KeyTable(TRUNK_ROWS + decoder_rows("seg_head"))
HRNET_BASIC_HIER = KeyTable(TRUNK_ROWS + decoder_rows("cls_head") + ATTENTION_ROWS)
HRNET_ASPP = KeyTable(
    (
        *TRUNK_ROWS,
        *ASPP_ROWS,
        ("bot_aspp", "head.reduce_context"),
        *decoder_rows("final"),
        *ATTENTION_ROWS,
    )
)
