"""Networks: trunks, heads, attention over scales, and how they are put together by name."""

from hierseg.models.aspp import ASPP, DensePredictionCell
from hierseg.models.deeplab import DeepLabV3Head, DeepLabV3PlusHead, PlainHead
from hierseg.models.explicit import ExplicitFusion
from hierseg.models.fusion import AverageFusion, Fusion
from hierseg.models.hierarchical import HierarchicalFusion
from hierseg.models.hrnet import HRNet
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.outputs import HeadOutput, ScaleOutput, SegmentationOutput
from hierseg.models.paired import PairedFusion
from hierseg.models.registry import (
    CONVENTIONS,
    STATISTICS,
    build_network,
    build_outline,
    create_model,
    describe_model,
    list_models,
)
from hierseg.models.resnet import DilatedResNet
from hierseg.models.scale_attention import ScaleAttention
from hierseg.models.trunk import TimmTrunk, Trunk
from hierseg.models.wide_resnet import WideResNet38
from hierseg.models.xception import Xception71

__all__ = [
    "ASPP",
    "CONVENTIONS",
    "STATISTICS",
    "AverageFusion",
    "DeepLabV3Head",
    "DeepLabV3PlusHead",
    "DensePredictionCell",
    "DilatedResNet",
    "ExplicitFusion",
    "Fusion",
    "HRNet",
    "HeadOutput",
    "HierarchicalFusion",
    "OCRHead",
    "PairedFusion",
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
    "list_models",
]
