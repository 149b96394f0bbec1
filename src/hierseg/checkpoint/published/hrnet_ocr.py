"""The published HRNet-OCR networks, with and without scale attention.

Letters: s stage, m module, i and j branch, b block, k convolution in a block, n step of a chain.
"""

from __future__ import annotations

from hierseg.checkpoint.published.key_table import KeyTable

TRUNK_ROWS = (
    ("backbone.conv1", "trunk.stem.0.conv"),
    ("backbone.bn1", "trunk.stem.0.norm"),
    ("backbone.conv2", "trunk.stem.1.conv"),
    ("backbone.bn2", "trunk.stem.1.norm"),
    ("backbone.layer1.{b}.conv{k}", "trunk.stage1.{b}.conv{k}.conv"),
    ("backbone.layer1.{b}.bn{k}", "trunk.stage1.{b}.conv{k}.norm"),
    ("backbone.layer1.{b}.downsample.0", "trunk.stage1.{b}.shortcut.conv"),
    ("backbone.layer1.{b}.downsample.1", "trunk.stage1.{b}.shortcut.norm"),
    ("backbone.transition1.0.0", "trunk.transition1.0.conv"),
    ("backbone.transition1.0.1", "trunk.transition1.0.norm"),
    ("backbone.transition1.1.0.0", "trunk.transition1.1.conv"),
    ("backbone.transition1.1.0.1", "trunk.transition1.1.norm"),
    ("backbone.transition2.2.0.0", "trunk.transition2.conv"),
    ("backbone.transition2.2.0.1", "trunk.transition2.norm"),
    ("backbone.transition3.3.0.0", "trunk.transition3.conv"),
    ("backbone.transition3.3.0.1", "trunk.transition3.norm"),
    (
        "backbone.stage{s}.{m}.branches.{i}.{b}.conv{k}",
        "trunk.stage{s}.{m}.branches.{i}.{b}.conv{k}.conv",
    ),
    (
        "backbone.stage{s}.{m}.branches.{i}.{b}.bn{k}",
        "trunk.stage{s}.{m}.branches.{i}.{b}.conv{k}.norm",
    ),
    # To a finer branch: one 1x1 convolution, whose output is resized.
    ("backbone.stage{s}.{m}.fuse_layers.{i}.{j}.0", "trunk.stage{s}.{m}.exchange.{i}.{j}.conv"),
    ("backbone.stage{s}.{m}.fuse_layers.{i}.{j}.1", "trunk.stage{s}.{m}.exchange.{i}.{j}.norm"),
    # To a coarser branch: a chain of strided convolutions.
    (
        "backbone.stage{s}.{m}.fuse_layers.{i}.{j}.{n}.0",
        "trunk.stage{s}.{m}.exchange.{i}.{j}.{n}.conv",
    ),
    (
        "backbone.stage{s}.{m}.fuse_layers.{i}.{j}.{n}.1",
        "trunk.stage{s}.{m}.exchange.{i}.{j}.{n}.norm",
    ),
)

_CONTEXT = "ocr.ocr_distri_head.object_context_block"

HEAD_ROWS = (
    ("ocr.conv3x3_ocr.0", "head.pixels.conv"),
    ("ocr.conv3x3_ocr.1.0", "head.pixels.norm"),
    ("ocr.aux_head.0", "head.auxiliary.0.conv"),
    ("ocr.aux_head.1.0", "head.auxiliary.0.norm"),
    ("ocr.aux_head.2", "head.auxiliary.1"),
    (f"{_CONTEXT}.f_pixel.0", "head.attend.query.0.conv"),
    (f"{_CONTEXT}.f_pixel.1.0", "head.attend.query.0.norm"),
    (f"{_CONTEXT}.f_pixel.2", "head.attend.query.1.conv"),
    (f"{_CONTEXT}.f_pixel.3.0", "head.attend.query.1.norm"),
    (f"{_CONTEXT}.f_object.0", "head.attend.key.0.conv"),
    (f"{_CONTEXT}.f_object.1.0", "head.attend.key.0.norm"),
    (f"{_CONTEXT}.f_object.2", "head.attend.key.1.conv"),
    (f"{_CONTEXT}.f_object.3.0", "head.attend.key.1.norm"),
    (f"{_CONTEXT}.f_down.0", "head.attend.value.conv"),
    (f"{_CONTEXT}.f_down.1.0", "head.attend.value.norm"),
    (f"{_CONTEXT}.f_up.0", "head.attend.expand.conv"),
    (f"{_CONTEXT}.f_up.1.0", "head.attend.expand.norm"),
    ("ocr.ocr_distri_head.conv_bn_dropout.0", "head.merge.conv"),
    ("ocr.ocr_distri_head.conv_bn_dropout.1.0", "head.merge.norm"),
    ("ocr.cls_head", "head.classify"),
)

ATTENTION_ROWS = (
    ("scale_attn.conv0", "attention.conv1.conv"),
    ("scale_attn.bn0", "attention.conv1.norm"),
    ("scale_attn.conv1", "attention.conv2.conv"),
    ("scale_attn.bn1", "attention.conv2.norm"),
    ("scale_attn.conv2", "attention.weigh"),
)

HRNET_OCR = KeyTable(TRUNK_ROWS + HEAD_ROWS + ATTENTION_ROWS)
