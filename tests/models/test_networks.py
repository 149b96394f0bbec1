"""Every network of the registry, at reduced width."""

from __future__ import annotations

from hierseg.checkpoint.published import HRNET_OCR
from hierseg.models import list_models
from models.network_tester import NetworkTester

NARROW = {"width": 4, "mid_channels": 16, "key_channels": 8, "attention_channels": 8}


class _NarrowHRNet(NetworkTester):
    overrides = NARROW
    published_name = staticmethod(HRNET_OCR.to_published)


class TestHRNet48Hierarchical(_NarrowHRNet):
    name = "hrnet48-ocr-hier"


class TestHRNet48(_NarrowHRNet):
    name = "hrnet48-ocr"
    hierarchical = False
    golden_scales = (1.0,)


class TestHRNet32Hierarchical(_NarrowHRNet):
    name = "hrnet32-ocr-hier"
    overrides = NARROW | {"width": 6, "align_corners": True}


class TestHRNet18Hierarchical(_NarrowHRNet):
    name = "hrnet18-ocr-hier"
    overrides = NARROW | {"attention_second": False, "attention_dropout": 0.5}


class TestHRNet18SmallHierarchical(_NarrowHRNet):
    name = "hrnet18s-ocr-hier"


class TestLite0Hierarchical(NetworkTester):
    name = "lite0-ocr-hier"


class TestTimmPadded(NetworkTester):
    name = "timm:dla46_c"
    overrides = {"reduced_channels": 8, "mid_channels": 16, "key_channels": 8}  # noqa: RUF012


def test_every_network_is_tested() -> None:
    testers = [NetworkTester]
    for tester in testers:
        testers.extend(tester.__subclasses__())
    assert set(list_models()) <= {getattr(tester, "name", None) for tester in testers}
