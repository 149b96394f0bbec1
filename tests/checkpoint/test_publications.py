"""The table of every publication, on networks without numbers: names follow the depth alone."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.checkpoint.published.deeplab import WIDE_RESNET_IMAGENET, XCEPTION_IMAGENET
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.published.official_hrnet import HRNET_IMAGENET
from hierseg.models.registry import create_model


@cache
def own_names(name: str) -> list[str]:
    publication = PUBLICATIONS[name]
    with torch.device("meta"):
        network = create_model(publication.model, **publication.arguments)
    absent = publication.table.absent
    return [key for key in network.state_dict() if key.rpartition(".")[2] not in absent]


@pytest.mark.parametrize("name", PUBLICATIONS)
def test_every_tensor_has_one_name_each_way(name: str) -> None:
    table = PUBLICATIONS[name].table
    published = [table.to_published(key) for key in own_names(name)]
    assert None not in published
    assert len(set(published)) == len(published)
    assert [table.to_own(key) for key in published] == own_names(name)


@pytest.mark.parametrize("table", {id(p.table): p.table for p in PUBLICATIONS.values()}.values())
def test_every_row_is_used(table: KeyTable) -> None:
    networks = [name for name, publication in PUBLICATIONS.items() if publication.table is table]
    names = [key for name in networks for key in own_names(name)]
    for row in table.rows:
        assert any(KeyTable([row]).to_published(key) for key in names), row


@pytest.mark.parametrize(
    ("name", "published", "own"),
    [
        (
            "deeplabv3plus-wrn38",
            "backbone.mod7.block1.convs.bn3.0.running_var",
            "trunk.stages.5.0.norms.2.running_var",
        ),
        ("vplr-wrn38", "mod4.block6.convs.conv1.weight", "trunk.stages.2.5.convs.0.weight"),
        ("vplr-wrn38", "bot_fine.weight", "head.reduce_fine.weight"),
        (
            "deeplabv3plus-xception71",
            "backbone.block2.rep.3.pointwise.weight",
            "trunk.blocks.1.convs.1.pointwise.weight",
        ),
        (
            "deeplabv3plus-xception71",
            "backbone.block20.rep.8.bias",
            "trunk.blocks.19.convs.2.norm.bias",
        ),
        ("deeplabv3plus-xception71", "backbone.conv5.bn.bias", "trunk.exit.4.inner_norm.bias"),
        (
            "vplr-seresnext50",
            "layer3.5.se_module.fc2.bias",
            "trunk.backbone.layer3.5.se.fc2.bias",
        ),
        ("official-hrnet", "last_layer.3.bias", "head.classify.bias"),
        ("official-hrnet-ocr", "aux_head.3.weight", "head.auxiliary.1.weight"),
        (
            "paddleseg-hrnet-ocr",
            "ocrnet.backbone.st4.stage_st4_3.fuse_func.residual_st4_3_layer_4_1_2._batch_norm._mean",
            "trunk.stage4.2.exchange.3.0.1.norm.running_mean",
        ),
    ],
)
def test_examples(name: str, published: str, own: str) -> None:
    table = PUBLICATIONS[name].table
    assert table.to_own(published) == own
    assert table.to_published(own) == published


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("vplr-wrn38", "mod1.block1.bn1.0.weight"),  # One less than the first that counts.
        ("vplr-wrn38", "mod2.block01.bn1.0.weight"),
        ("vplr-wrn38", "backbone.mod1.conv1.weight"),
        ("deeplabv3plus-xception71", "backbone.block2.rep.6.conv1.weight"),
        # The stage is named twice, and the two must agree.
        ("paddleseg-hrnet-ocr", "ocrnet.backbone.st3.stage_st2_1.branches_func."
         "bb_st2_1_branch_layer_1_1.conv1._conv.weight"),
        ("paddleseg-hrnet-ocr", "StructuredToParameterName@@"),
    ],
)  # fmt: skip
def test_other_names_have_no_translation(name: str, foreign: str) -> None:
    assert PUBLICATIONS[name].table.to_own(foreign) is None


@pytest.mark.parametrize(
    ("table", "name"),
    [(WIDE_RESNET_IMAGENET, "vplr-wrn38"), (XCEPTION_IMAGENET, "deeplabv3plus-xception71"),
     (HRNET_IMAGENET, "official-hrnet")],
)  # fmt: skip
def test_tables_of_imagenet_hold_the_trunk_and_no_more(table: KeyTable, name: str) -> None:
    trunk = [key for key in own_names(name) if key.startswith("trunk.")]
    published = [table.to_published(key) for key in trunk]
    assert [table.to_own(key) for key in published] == trunk
    others = [key for key in own_names(name) if not key.startswith("trunk.")]
    assert not any(table.to_published(key) for key in others)
    assert table.to_own("fc.weight") is table.to_own("classifier.fc.weight") is None
