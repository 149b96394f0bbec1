"""mmsegmentation's OCRNet on HRNet (``ocrnet_hr18``, ``hr18s``, ``hr48``).

Its trunk has the original's names. ``decode_head.0`` computes the auxiliary logits and
``decode_head.1`` is the OCR head. Their convolutions before batch norms have no biases.
"""

from __future__ import annotations

from hierseg.checkpoint.published.hrnet_ocr import TRUNK_ROWS
from hierseg.checkpoint.published.key_table import KeyTable


def _conv_norm(published: str, own: str) -> tuple[tuple[str, str], ...]:
    return (f"{published}.conv", f"{own}.conv"), (f"{published}.bn", f"{own}.norm")


_CONTEXT = "decode_head.1.object_context_block"

MMSEGMENTATION_OCRNET = KeyTable(
    (
        *TRUNK_ROWS,
        *_conv_norm("decode_head.0.convs.0", "head.auxiliary.0"),
        ("decode_head.0.conv_seg", "head.auxiliary.1"),
        *_conv_norm("decode_head.1.bottleneck", "head.pixels"),
        *_conv_norm(f"{_CONTEXT}.query_project.{{n}}", "head.attend.query.{n}"),
        *_conv_norm(f"{_CONTEXT}.key_project.{{n}}", "head.attend.key.{n}"),
        *_conv_norm(f"{_CONTEXT}.value_project", "head.attend.value"),
        *_conv_norm(f"{_CONTEXT}.out_project", "head.attend.expand"),
        *_conv_norm(f"{_CONTEXT}.bottleneck", "head.merge"),
        ("decode_head.1.conv_seg", "head.classify"),
    )
)
