"""Data sets over one base, their augmentation and sampling."""

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.data.catalog import available_datasets, open_dataset
from hierseg.data.reading import DataError, read_image, read_label_ids
from hierseg.data.sampling import Draw, EpochSampler, TrainingSamples
from hierseg.data.transforms import TrainingTransform

__all__ = [
    "DataError",
    "Draw",
    "EpochSampler",
    "Record",
    "Sample",
    "SegmentationDataset",
    "TrainingSamples",
    "TrainingTransform",
    "available_datasets",
    "open_dataset",
    "read_image",
    "read_label_ids",
]
