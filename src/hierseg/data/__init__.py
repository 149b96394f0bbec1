"""Data sets over one base, their augmentation and sampling.

Names are loaded on first use, so that looking at files costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hierseg.data.base import Record as Record
    from hierseg.data.base import Sample as Sample
    from hierseg.data.base import SegmentationDataset as SegmentationDataset
    from hierseg.data.base import Statistics as Statistics
    from hierseg.data.catalog import available_datasets as available_datasets
    from hierseg.data.catalog import open_dataset as open_dataset
    from hierseg.data.catalog import open_extra as open_extra
    from hierseg.data.centroids import index_centroids as index_centroids
    from hierseg.data.class_uniform import ClassUniformSampler as ClassUniformSampler
    from hierseg.data.custom import is_description as is_description
    from hierseg.data.options import DataOptions as DataOptions
    from hierseg.data.options import ExtraRules as ExtraRules
    from hierseg.data.rand_augment import RandAugment as RandAugment
    from hierseg.data.reading import DataError as DataError
    from hierseg.data.reading import read_image as read_image
    from hierseg.data.reading import read_label_ids as read_label_ids
    from hierseg.data.sampling import Draw as Draw
    from hierseg.data.sampling import EpochSampler as EpochSampler
    from hierseg.data.sampling import TrainingSamples as TrainingSamples
    from hierseg.data.transforms import TrainingTransform as TrainingTransform
    from hierseg.data.view import resize_dataset as resize_dataset

_HOMES = {
    "Record": "hierseg.data.base",
    "Sample": "hierseg.data.base",
    "SegmentationDataset": "hierseg.data.base",
    "Statistics": "hierseg.data.base",
    "available_datasets": "hierseg.data.catalog",
    "open_dataset": "hierseg.data.catalog",
    "open_extra": "hierseg.data.catalog",
    "index_centroids": "hierseg.data.centroids",
    "ClassUniformSampler": "hierseg.data.class_uniform",
    "is_description": "hierseg.data.custom",
    "DataOptions": "hierseg.data.options",
    "ExtraRules": "hierseg.data.options",
    "RandAugment": "hierseg.data.rand_augment",
    "DataError": "hierseg.data.reading",
    "read_image": "hierseg.data.reading",
    "read_label_ids": "hierseg.data.reading",
    "Draw": "hierseg.data.sampling",
    "EpochSampler": "hierseg.data.sampling",
    "TrainingSamples": "hierseg.data.sampling",
    "TrainingTransform": "hierseg.data.transforms",
    "resize_dataset": "hierseg.data.view",
}

__all__ = [
    "ClassUniformSampler",
    "DataError",
    "DataOptions",
    "Draw",
    "EpochSampler",
    "ExtraRules",
    "RandAugment",
    "Record",
    "Sample",
    "SegmentationDataset",
    "Statistics",
    "TrainingSamples",
    "TrainingTransform",
    "available_datasets",
    "index_centroids",
    "is_description",
    "open_dataset",
    "open_extra",
    "read_image",
    "read_label_ids",
    "resize_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
