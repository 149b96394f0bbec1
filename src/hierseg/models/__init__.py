"""Networks: trunks, heads, attention over scales, and how they are put together by name."""

from hierseg.models.fusion import AverageFusion, Fusion, HierarchicalFusion
from hierseg.models.hrnet import HRNet
from hierseg.models.network import SegmentationNetwork
from hierseg.models.ocr import OCRHead
from hierseg.models.outputs import HeadOutput, ScaleOutput, SegmentationOutput
from hierseg.models.registry import build_network, create_model, describe_model, list_models
from hierseg.models.scale_attention import ScaleAttention
from hierseg.models.trunk import TimmTrunk, Trunk

__all__ = [
    "AverageFusion",
    "Fusion",
    "HRNet",
    "HeadOutput",
    "HierarchicalFusion",
    "OCRHead",
    "ScaleAttention",
    "ScaleOutput",
    "SegmentationNetwork",
    "SegmentationOutput",
    "TimmTrunk",
    "Trunk",
    "build_network",
    "create_model",
    "describe_model",
    "list_models",
]
