"""The names that users of the original bring along."""

from __future__ import annotations

import pytest

from hierseg.errors import UserError
from hierseg.models.catalog import PUBLISHED_NAMES, REFUSED_NAMES
from hierseg.models.registry import create_model, describe_model, list_models

# As PUBLISHED.md lists them.
LISTED = [
    "ocrnet.HRNet",
    "ocrnet.HRNet_Mscale",
    "deepv3.DeepV3PlusW38",
    "deepv3.DeepV3PlusW38I",
    "deepv3.DeepV3PlusX71",
    "deepv3.DeepV3PlusR50",
    "deepv3.DeepV3PlusSRNX50",
    "deepv3.DeepV3PlusSRNX101",
    "deepv3.DeepV3R50",
    "mscale.DeepV3R50",
    "mscale.DeepV3W38",
    "mscale.DeepV3X71",
    "mscale.DeepV3W38Fuse",
    "mscale.DeepV3W38Fuse2",
    "mscale.HRNet",
    "mscale.HRNet_ASP",
    "mscale.DeeperW38",
    "mscale.DeeperX71",
    "mscale2.DeepV3R50",
    "mscale2.HRNet",
    "attnscale.DeepV3R50",
    "attnscale.DeepV3R50B",
    "attnscale.DeepV3W38",
    "attnscale.DeepV3R50BP",
    "basic.HRNet",
    "basic.HRNet_ASP",
    "deeper.DeeperW38",
    "deeper.DeeperX71",
    "network.deepv3.DeepWV3Plus",
    "network.deepv3.DeepSRNX50V3PlusD_m1",
    "network.deepv3.DeepR50V3PlusD_m1",
    "network.deepv3.DeepSRNX101V3PlusD_m1",
]


def test_every_name_is_built_or_refused() -> None:
    assert set(LISTED) == PUBLISHED_NAMES.keys() | REFUSED_NAMES.keys()
    assert not PUBLISHED_NAMES.keys() & REFUSED_NAMES.keys()


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_is_the_network_of_the_registry(name: str) -> None:
    own, changes = PUBLISHED_NAMES[name]
    expected = describe_model(own)
    assert own in list_models()
    assert name not in list_models()
    assert describe_model(name).builder == expected.builder
    assert describe_model(name).arguments == expected.arguments | changes
    assert changes.keys().isdisjoint(expected.arguments)


@pytest.mark.parametrize("name", REFUSED_NAMES)
def test_refusal_names_a_network_that_is_there(name: str) -> None:
    nearest = REFUSED_NAMES[name][1]
    assert nearest in list_models()
    with pytest.raises(UserError, match=f"'{name}'.* nearest network is '{nearest}'"):
        create_model(name)


def test_a_published_name_takes_arguments() -> None:
    network = create_model("attnscale.DeepV3R50B", width=4, shallow=True, mid_channels=4)
    assert network.fusion.mix.norm.num_features == 512
    assert network.builder_arguments["attention_norm"] is True
    assert not hasattr(
        create_model("attnscale.DeepV3R50", width=4, shallow=True).fusion.mix, "norm"
    )
