"""PaddleSeg's hierarchical HRNet-W48 OCR: its names count from 1, and batch norms' statistics have
other names.

Letters: s stage, m module, i and j branch, b block, k convolution in a block, n step of a chain.
"""

from __future__ import annotations

from hierseg.checkpoint.published.key_table import KeyTable


def _conv_norm(published: str, own: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"{published}._conv", f"{own}.conv"),
        (f"{published}._batch_norm", f"{own}.norm"),
    )


_BACKBONE = "ocrnet.backbone"
_STAGE = f"{_BACKBONE}.st{{s}}.stage_st{{s}}_{{m+1}}"
_OWN_STAGE = "trunk.stage{s}.{m}"
_ATTEND = "ocrnet.head.spatial_ocr.attention_block"

_ROWS = (
    *_conv_norm(f"{_BACKBONE}.conv_layer1_{{n+1}}", "trunk.stem.{n}"),
    *_conv_norm(f"{_BACKBONE}.la1.bb_layer2_{{b+1}}.conv{{k}}", "trunk.stage1.{b}.conv{k}"),
    *_conv_norm(f"{_BACKBONE}.la1.bb_layer2_{{b+1}}.conv_down", "trunk.stage1.{b}.shortcut"),
    *_conv_norm(f"{_BACKBONE}.tr1.transition_tr1_layer_{{i+1}}", "trunk.transition1.{i}"),
    *_conv_norm(f"{_BACKBONE}.tr2.transition_tr2_layer_3", "trunk.transition2"),
    *_conv_norm(f"{_BACKBONE}.tr3.transition_tr3_layer_4", "trunk.transition3"),
    *_conv_norm(
        f"{_STAGE}.branches_func.bb_st{{s}}_{{m+1}}_branch_layer_{{i+1}}_{{b+1}}.conv{{k}}",
        f"{_OWN_STAGE}.branches.{{i}}.{{b}}.conv{{k}}",
    ),
    *_conv_norm(
        f"{_STAGE}.fuse_func.residual_st{{s}}_{{m+1}}_layer_{{i+1}}_{{j+1}}",
        f"{_OWN_STAGE}.exchange.{{i}}.{{j}}",
    ),
    *_conv_norm(
        f"{_STAGE}.fuse_func.residual_st{{s}}_{{m+1}}_layer_{{i+1}}_{{j+1}}_{{n+1}}",
        f"{_OWN_STAGE}.exchange.{{i}}.{{j}}.{{n}}",
    ),
    *_conv_norm("ocrnet.head.conv3x3_ocr", "head.pixels"),
    *_conv_norm("ocrnet.head.aux_head.0", "head.auxiliary.0"),
    ("ocrnet.head.aux_head.1", "head.auxiliary.1"),
    *_conv_norm(f"{_ATTEND}.f_pixel.{{n}}", "head.attend.query.{n}"),
    *_conv_norm(f"{_ATTEND}.f_object.{{n}}", "head.attend.key.{n}"),
    *_conv_norm(f"{_ATTEND}.f_down", "head.attend.value"),
    *_conv_norm(f"{_ATTEND}.f_up", "head.attend.expand"),
    *_conv_norm("ocrnet.head.spatial_ocr.conv1x1.0", "head.merge"),
    ("ocrnet.head.cls_head", "head.classify"),
    *_conv_norm("scale_attn.atten_head.0", "attention.conv1"),
    *_conv_norm("scale_attn.atten_head.1", "attention.conv2"),
    ("scale_attn.atten_head.2", "attention.weigh"),
)

PADDLESEG_HRNET_OCR = KeyTable(
    _ROWS,
    tensors={"_mean": "running_mean", "_variance": "running_var"},
    absent=("num_batches_tracked",),
)
