"""Every network of the registry, at reduced width."""

from __future__ import annotations

import pytest

from hierseg.checkpoint.published.deeplab import (
    DEEPER_WIDE_RESNET_HIER,
    DEEPER_XCEPTION_HIER,
    RESNET_DEEPLAB,
    WIDE_RESNET_DEEPLAB,
    XCEPTION_DEEPLAB,
)
from hierseg.checkpoint.published.hrnet_basic import HRNET_ASPP, HRNET_BASIC_HIER
from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.checkpoint.published.official_hrnet import OFFICIAL_HRNET
from hierseg.models.registry import list_models
from models.network_tester import NetworkTester

NARROW = {"width": 4, "mid_channels": 16, "key_channels": 8, "attention_channels": 8}


def quiet_attention(own: str) -> str:
    """A name by which the rule fills an attention's last layer without saturating it."""
    return own.replace("weigh.weight", "scale_attn.conv2.weight")


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


@pytest.mark.slow
class TestLite1Hierarchical(NetworkTester):
    name = "lite1-ocr-hier"


@pytest.mark.slow
class TestLite2Hierarchical(NetworkTester):
    name = "lite2-ocr-hier"


@pytest.mark.slow
class TestLite0OneScale(NetworkTester):
    name = "lite0-ocr"
    hierarchical = False
    golden_scales = (1.0,)


@pytest.mark.slow
class TestLite0Explicit(NetworkTester):
    name = "lite0-ocr-explicit"
    scale_sets = [(0.5, 1.0, 2.0)]  # noqa: RUF012
    golden_scales = (0.5, 1.0, 2.0)


@pytest.mark.slow
class TestLite0Paired(NetworkTester):
    name = "lite0-ocr-paired"
    paired = True


class TestTimmPadded(NetworkTester):
    name = "timm:dla46_c"
    overrides = {"reduced_channels": 8, "mid_channels": 16, "key_channels": 8}  # noqa: RUF012


DEEPLAB_NARROW = {
    "width": 4,
    "shallow": True,
    "mid_channels": 16,
    "fine_channels": 4,
    "attention_channels": 8,
}


class _NarrowDeepLab(NetworkTester):
    overrides = DEEPLAB_NARROW
    hierarchical = auxiliary = regions = False
    pooled = True
    golden_scales = (1.0,)

    @staticmethod
    def published_name(own: str) -> str:
        tables = (
            WIDE_RESNET_DEEPLAB,
            XCEPTION_DEEPLAB,
            RESNET_DEEPLAB,
            DEEPER_WIDE_RESNET_HIER,
            DEEPER_XCEPTION_HIER,
        )
        names = (table.to_published(own) for table in tables)
        return next((name for name in names if name), quiet_attention(own))


class _HierarchicalDeepLab(_NarrowDeepLab):
    hierarchical = True
    golden_scales = (0.5, 1.0, 1.5)


class TestWideResNetHierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-wrn38-hier"


class TestXceptionHierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-xception71-hier"


class TestResNet50Hierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-resnet50-hier"


class TestSEResNeXt50Aligned(_NarrowDeepLab):
    name = "vplr-seresnext50"
    overrides = DEEPLAB_NARROW | {"width": 16}


class TestWideResNetAligned(_NarrowDeepLab):
    name = "vplr-wrn38"


class TestExplicit(_HierarchicalDeepLab):
    name = "deeplabv3plus-resnet50-explicit"
    scale_sets = [(0.5, 1.0, 2.0)]  # noqa: RUF012
    golden_scales = (0.5, 1.0, 2.0)


class TestPaired(_HierarchicalDeepLab):
    name = "deeplabv3plus-resnet50-paired"
    paired = True


class TestDensePredictionCell(_NarrowDeepLab):
    name = "deeplabv3plus-resnet50-dpc"
    pooled = False


class TestDeepLabV3(_NarrowDeepLab):
    name = "deeplabv3-resnet50"


class _NarrowPlainHRNet(NetworkTester):
    overrides = {"width": 4, "attention_channels": 8}  # noqa: RUF012
    hierarchical = auxiliary = regions = False
    golden_scales = (1.0,)

    @staticmethod
    def published_name(own: str) -> str:
        return (
            OFFICIAL_HRNET.to_published(own) or HRNET_OCR.to_published(own) or quiet_attention(own)
        )


class TestHRNet48Plain(_NarrowPlainHRNet):
    name = "hrnet48"


class TestHRNet48PlainHierarchical(_NarrowPlainHRNet):
    name = "hrnet48-hier"
    hierarchical = True
    golden_scales = (0.5, 1.0, 1.5)


class _NarrowBasicHRNet(NetworkTester):
    overrides = {"width": 4, "mid_channels": 8, "attention_channels": 8}  # noqa: RUF012
    auxiliary = regions = False

    @staticmethod
    def published_name(own: str) -> str:
        return HRNET_BASIC_HIER.to_published(own) or HRNET_ASPP.to_published(own) or own


class TestHRNet48BasicHierarchical(_NarrowBasicHRNet):
    name = "hrnet48-basic-hier"


class TestHRNet48DirectASPPHierarchical(_NarrowBasicHRNet):
    name = "hrnet48-aspp-hier"
    pooled = True


class TestDeeperHierarchical(_HierarchicalDeepLab):
    name = "deeper-wrn38-hier"


class TestDeeperXceptionHierarchical(_HierarchicalDeepLab):
    name = "deeper-xception71-hier"
    overrides = DEEPLAB_NARROW | {"aspp_channels": 8, "aspp_pool": 5}


class TestFuse(_HierarchicalDeepLab):
    name = "deeplabv3plus-wrn38-fuse"


class TestFuse2(_HierarchicalDeepLab):
    name = "deeplabv3plus-wrn38-fuse2"


class TestHRNet48ASPPHierarchical(_NarrowHRNet):
    name = "hrnet48-ocraspp-hier"
    pooled = True

    @staticmethod
    def published_name(own: str) -> str:
        return HRNET_OCR.to_published(own) or own


# What differs from one above only in depth, which the narrow forms do not have, or in a
# combination of parts that are each tested above.


@pytest.mark.slow
class TestHRNet48ASPP(_NarrowHRNet):
    name = "hrnet48-ocraspp"
    hierarchical = False
    pooled = True
    golden_scales = (1.0,)
    published_name = TestHRNet48ASPPHierarchical.published_name


@pytest.mark.slow
class TestHRNet48Basic(_NarrowBasicHRNet):
    name = "hrnet48-basic"
    hierarchical = False
    golden_scales = (1.0,)


@pytest.mark.slow
class TestHRNet48DirectASPP(_NarrowBasicHRNet):
    name = "hrnet48-aspp"
    hierarchical = False
    pooled = True
    golden_scales = (1.0,)


@pytest.mark.slow
class TestHRNet18(_NarrowHRNet):
    name = "hrnet18-ocr"
    overrides = NARROW | {"head_bias": False}
    hierarchical = False
    golden_scales = (1.0,)


@pytest.mark.slow
class TestHRNet18Small(_NarrowHRNet):
    name = "hrnet18s-ocr"
    hierarchical = False
    golden_scales = (1.0,)


@pytest.mark.slow
class TestDeeper(_NarrowDeepLab):
    name = "deeper-wrn38"


@pytest.mark.slow
class TestDeeperXception(_NarrowDeepLab):
    name = "deeper-xception71"


@pytest.mark.slow
class TestHRNet48PlainPaired(_NarrowPlainHRNet):
    name = "hrnet48-paired"
    hierarchical = paired = True
    golden_scales = (0.5, 1.0, 1.5)


@pytest.mark.slow
class TestWideResNet(_NarrowDeepLab):
    name = "deeplabv3plus-wrn38"


@pytest.mark.slow
class TestWideResNetExplicit(TestExplicit):
    name = "deeplabv3plus-wrn38-explicit"
    overrides = DEEPLAB_NARROW | {"attention_norm": True}


@pytest.mark.slow
class TestXception(_NarrowDeepLab):
    name = "deeplabv3plus-xception71"


@pytest.mark.slow
class TestResNet50(_NarrowDeepLab):
    name = "deeplabv3plus-resnet50"


@pytest.mark.slow
class TestResNet101(_NarrowDeepLab):
    name = "deeplabv3plus-resnet101"


@pytest.mark.slow
class TestResNet101Hierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-resnet101-hier"


@pytest.mark.slow
class TestSEResNeXt50(_NarrowDeepLab):
    name = "deeplabv3plus-seresnext50"
    overrides = TestSEResNeXt50Aligned.overrides


@pytest.mark.slow
class TestSEResNeXt50Hierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-seresnext50-hier"
    overrides = TestSEResNeXt50Aligned.overrides


@pytest.mark.slow
class TestSEResNeXt101(_NarrowDeepLab):
    name = "deeplabv3plus-seresnext101"
    overrides = TestSEResNeXt50Aligned.overrides


@pytest.mark.slow
class TestSEResNeXt101Hierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-seresnext101-hier"
    overrides = TestSEResNeXt50Aligned.overrides


@pytest.mark.slow
class TestSEResNeXt101Aligned(_NarrowDeepLab):
    name = "vplr-seresnext101"
    overrides = TestSEResNeXt50Aligned.overrides


@pytest.mark.slow
class TestResNet50Aligned(_NarrowDeepLab):
    name = "vplr-resnet50"


@pytest.mark.slow
class TestDensePredictionCellHierarchical(_HierarchicalDeepLab):
    name = "deeplabv3plus-resnet50-dpc-hier"
    pooled = False


@pytest.mark.slow
class TestDeepLabV3Hierarchical(_HierarchicalDeepLab):
    name = "deeplabv3-resnet50-hier"


def test_every_network_is_tested() -> None:
    testers = [NetworkTester]
    for tester in testers:
        testers.extend(tester.__subclasses__())
    assert set(list_models()) <= {getattr(tester, "name", None) for tester in testers}
