"""Data sets over one base, their augmentation and sampling."""

from hierseg.data.base import Record, Sample, SegmentationDataset, Statistics
from hierseg.data.catalog import available_datasets, open_dataset, open_extra
from hierseg.data.centroids import index_centroids
from hierseg.data.class_uniform import ClassUniformSampler
from hierseg.data.custom import is_description
from hierseg.data.options import DataOptions, ExtraRules
from hierseg.data.rand_augment import RandAugment
from hierseg.data.reading import DataError, read_image, read_label_ids
from hierseg.data.sampling import Draw, EpochSampler, TrainingSamples
from hierseg.data.transforms import TrainingTransform
from hierseg.data.view import resize_dataset

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
