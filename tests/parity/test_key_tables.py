"""Every manifest of the shared folder against the tables of names, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.models.registry import create_model
from parity.rule import read_manifest

MANIFESTS = {
    "hrnet-ocr": "hrnet_w48_ocr",
    "hrnet-ocr-hier": "hrnet_w48_ocr_mscale",
    "deeplabv3plus-wrn38": "deeplabv3plus_wrn38",
    "deeplabv3plus-wrn38-hier": "deeplabv3plus_wrn38_mscale",
    "deeplabv3plus-xception71": "deeplabv3plus_xception71",
    "deeplabv3plus-wrn38-fuse": "deeplabv3plus_wrn38_fuse",
    "deeplabv3plus-wrn38-fuse2": "deeplabv3plus_wrn38_fuse2",
    "deeper-wrn38": "deeper_wrn38",
    "deeper-wrn38-hier": "deeper_wrn38_mscale",
    "deeper-xception71": "deeper_xception71",
    "hrnet-basic": "hrnet_w48_basic",
    "hrnet-basic-hier": "hrnet_w48_mscale",
    "hrnet-aspp": "hrnet_w48_aspp",
    "hrnet-aspp-hier": "hrnet_w48_aspp_mscale",
    "vplr-wrn38": "sdc_deepwv3plus",
    "vplr-seresnext50": "sdc_deeplabv3plus_seresnext50",
    "official-hrnet": "official_hrnet_w48",
    "official-hrnet-ocr": "official_hrnet_w48_ocr",
    "paddleseg-hrnet-ocr": "paddleseg_mscale_ocr",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_table_covers_the_manifest_both_ways(parity_dir: Path, name: str) -> None:
    table, model, arguments, _ = PUBLICATIONS[name]
    published = read_manifest(parity_dir / "manifest" / f"{MANIFESTS[name]}.tsv")
    with torch.device("meta"):
        state = create_model(model, **arguments).state_dict()
    own = {
        key: tuple(value.shape)
        for key, value in state.items()
        if key.rpartition(".")[2] not in table.absent
    }
    assert {table.to_own(key): shape for key, shape in published.items()} == own
    assert {table.to_published(key): shape for key, shape in own.items()} == published


def test_paddleseg_names_lead_to_the_same_tensors_as_the_originals(parity_dir: Path) -> None:
    original, paddle = PUBLICATIONS["hrnet-ocr-hier"].table, PUBLICATIONS["paddleseg-hrnet-ocr"]
    lines = (parity_dir / "manifest/paddleseg_mscale_ocr.tsv").read_text().splitlines()
    pairs = [(line.split("\t")[0], line.split("\t")[3]) for line in lines]
    assert len(pairs) > 1500
    for theirs, published in pairs:
        assert paddle.table.to_own(theirs) == original.to_own(published), theirs
    absent = "trunk.stem.0.norm.num_batches_tracked"
    assert paddle.table.to_published(absent) is None
