"""Networks: trunks, heads, attention over scales, and the registry that builds them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.models.aspp import ASPP, DensePredictionCell
    from hierseg.models.catalog import MODELS, PUBLISHED_NAMES
    from hierseg.models.deeplab import DeepLabV3Head, DeepLabV3PlusHead, PlainHead
    from hierseg.models.explicit import ExplicitFusion
    from hierseg.models.fusion import AverageFusion, Fusion, FusionRun
    from hierseg.models.gate import CLUES, BenefitGate, Evidence, gather_evidence, join_clues
    from hierseg.models.hierarchical import HierarchicalFusion, ScaleAttention
    from hierseg.models.hrnet import HRNet
    from hierseg.models.network import IMAGENET_MEAN, IMAGENET_STD, SegmentationNetwork
    from hierseg.models.ocr import OCRHead
    from hierseg.models.outputs import (
        DeferredOutput,
        HeadOutput,
        Passed,
        ScaleOutput,
        SegmentationOutput,
    )
    from hierseg.models.paired import PairedFusion
    from hierseg.models.registry import (
        CONVENTIONS,
        STATISTICS,
        build_network,
        build_outline,
        create_model,
        describe_model,
        find_builder,
        list_models,
        name_network,
    )
    from hierseg.models.resnet import DilatedResNet
    from hierseg.models.trunk import TimmTrunk, Trunk
    from hierseg.models.wide_resnet import WideResNet38
    from hierseg.models.xception import Xception71
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "aspp": (
                "ASPP",
                "DensePredictionCell",
            ),
            "catalog": ("MODELS", "PUBLISHED_NAMES"),
            "deeplab": (
                "DeepLabV3Head",
                "DeepLabV3PlusHead",
                "PlainHead",
            ),
            "explicit": ("ExplicitFusion",),
            "fusion": (
                "AverageFusion",
                "Fusion",
                "FusionRun",
            ),
            "gate": (
                "CLUES",
                "BenefitGate",
                "Evidence",
                "gather_evidence",
                "join_clues",
            ),
            "hierarchical": (
                "HierarchicalFusion",
                "ScaleAttention",
            ),
            "hrnet": ("HRNet",),
            "network": (
                "IMAGENET_MEAN",
                "IMAGENET_STD",
                "SegmentationNetwork",
            ),
            "ocr": ("OCRHead",),
            "outputs": (
                "DeferredOutput",
                "HeadOutput",
                "Passed",
                "ScaleOutput",
                "SegmentationOutput",
            ),
            "paired": ("PairedFusion",),
            "registry": (
                "CONVENTIONS",
                "STATISTICS",
                "build_network",
                "build_outline",
                "create_model",
                "describe_model",
                "find_builder",
                "list_models",
                "name_network",
            ),
            "resnet": ("DilatedResNet",),
            "trunk": (
                "TimmTrunk",
                "Trunk",
            ),
            "wide_resnet": ("WideResNet38",),
            "xception": ("Xception71",),
        },
    )

__all__ = [
    "ASPP",
    "CLUES",
    "CONVENTIONS",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "MODELS",
    "PUBLISHED_NAMES",
    "STATISTICS",
    "AverageFusion",
    "BenefitGate",
    "DeepLabV3Head",
    "DeepLabV3PlusHead",
    "DeferredOutput",
    "DensePredictionCell",
    "DilatedResNet",
    "Evidence",
    "ExplicitFusion",
    "Fusion",
    "FusionRun",
    "HRNet",
    "HeadOutput",
    "HierarchicalFusion",
    "OCRHead",
    "PairedFusion",
    "Passed",
    "PlainHead",
    "ScaleAttention",
    "ScaleOutput",
    "SegmentationNetwork",
    "SegmentationOutput",
    "TimmTrunk",
    "Trunk",
    "WideResNet38",
    "Xception71",
    "build_network",
    "build_outline",
    "create_model",
    "describe_model",
    "find_builder",
    "gather_evidence",
    "join_clues",
    "list_models",
    "name_network",
]
