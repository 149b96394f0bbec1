"""Data sets over one base, their augmentation and sampling.

Names are loaded on first use, so that looking at files costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.data.archive import (
        FileStatus,
        find_files,
        get_crc,
        get_status,
        is_file,
        is_folder,
        open_dataset_file,
        read_bytes,
    )
    from hierseg.data.augmentation.patterns import draw_cloud, draw_disk, draw_line
    from hierseg.data.augmentation.rand_augment import RandAugment
    from hierseg.data.augmentation.transforms import TrainingTransform
    from hierseg.data.base import Record, Sample, SegmentationDataset, Statistics
    from hierseg.data.catalog import available_datasets, open_dataset, open_extra
    from hierseg.data.checking.check import check_data
    from hierseg.data.checking.headers import describe_small, read_image_header
    from hierseg.data.checking.report import CheckReport
    from hierseg.data.checking.table import format_report
    from hierseg.data.datasets.synthetic import is_synthetic
    from hierseg.data.described.dataset import is_description
    from hierseg.data.described.description import read_description
    from hierseg.data.described.label_space_file import make_color, read_label_space
    from hierseg.data.endings import tell, tell_by_name
    from hierseg.data.label_numbers import Palette
    from hierseg.data.mirrored import fetch_as_read
    from hierseg.data.opening import UnsupportedError, open_header
    from hierseg.data.options import DataOptions, ExtraRules
    from hierseg.data.parallel import PATIENCE, Patience, end_workers, prepare_worker, watching
    from hierseg.data.pseudo_labels.auto_labels import FOLDER, find_auto_records, open_auto_labels
    from hierseg.data.pseudo_labels.propagated import (
        PROPAGATION,
        PropagatedFrame,
        PropagatedHeader,
        PropagatedRecord,
        PropagatedRecords,
        format_propagation,
        format_propagation_header,
        open_propagated,
        read_propagation,
    )
    from hierseg.data.pseudo_labels.records import (
        BINS,
        ENDING,
        AutoHeader,
        AutoRecord,
        AutoRecords,
        format_header,
        format_record,
        format_skipped,
        place_auto_labels,
    )
    from hierseg.data.published_view import PublishedView
    from hierseg.data.reading import (
        DataError,
        DepthError,
        as_rgb,
        decode_dataset_image,
        is_plain_label_map,
        read_confidence,
        read_dataset_image,
        read_label_ids,
    )
    from hierseg.data.recognition.folder import OwnData, recognise_folder
    from hierseg.data.recognition.writing import describe_by_globs, write_own_data
    from hierseg.data.sampling.blended import BlendedSampler, count_other
    from hierseg.data.sampling.centroids import find_cache, index_centroids
    from hierseg.data.sampling.class_uniform import ClassUniformSampler
    from hierseg.data.sampling.epochs import Draw, EpochSampler, TrainingSamples
    from hierseg.data.sampling.joint import JointSampler
    from hierseg.data.sampling.tiles import Int32Array
    from hierseg.data.view import (
        ResizedDataset,
        bring_to,
        find_factor,
        resize_dataset,
        resize_image,
    )
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "archive": (
                "FileStatus",
                "find_files",
                "get_crc",
                "get_status",
                "is_file",
                "is_folder",
                "open_dataset_file",
                "read_bytes",
            ),
            "augmentation.patterns": (
                "draw_cloud",
                "draw_disk",
                "draw_line",
            ),
            "augmentation.rand_augment": ("RandAugment",),
            "augmentation.transforms": ("TrainingTransform",),
            "base": (
                "Record",
                "Sample",
                "SegmentationDataset",
                "Statistics",
            ),
            "catalog": (
                "available_datasets",
                "open_dataset",
                "open_extra",
            ),
            "checking.check": ("check_data",),
            "checking.headers": (
                "describe_small",
                "read_image_header",
            ),
            "checking.report": ("CheckReport",),
            "checking.table": ("format_report",),
            "datasets.synthetic": ("is_synthetic",),
            "described.dataset": ("is_description",),
            "described.description": ("read_description",),
            "described.label_space_file": ("make_color", "read_label_space"),
            "endings": (
                "tell",
                "tell_by_name",
            ),
            "label_numbers": ("Palette",),
            "mirrored": ("fetch_as_read",),
            "opening": (
                "UnsupportedError",
                "open_header",
            ),
            "options": (
                "DataOptions",
                "ExtraRules",
            ),
            "parallel": (
                "PATIENCE",
                "Patience",
                "end_workers",
                "prepare_worker",
                "watching",
            ),
            "pseudo_labels.auto_labels": (
                "FOLDER",
                "find_auto_records",
                "open_auto_labels",
            ),
            "pseudo_labels.propagated": (
                "PROPAGATION",
                "PropagatedFrame",
                "PropagatedHeader",
                "PropagatedRecord",
                "PropagatedRecords",
                "format_propagation",
                "format_propagation_header",
                "open_propagated",
                "read_propagation",
            ),
            "pseudo_labels.records": (
                "AutoHeader",
                "AutoRecord",
                "AutoRecords",
                "BINS",
                "ENDING",
                "format_header",
                "format_record",
                "format_skipped",
                "place_auto_labels",
            ),
            "recognition.folder": ("OwnData", "recognise_folder"),
            "recognition.writing": ("describe_by_globs", "write_own_data"),
            "reading": (
                "DataError",
                "DepthError",
                "as_rgb",
                "decode_dataset_image",
                "is_plain_label_map",
                "read_confidence",
                "read_dataset_image",
                "read_label_ids",
            ),
            "published_view": ("PublishedView",),
            "sampling.blended": ("BlendedSampler", "count_other"),
            "sampling.centroids": ("find_cache", "index_centroids"),
            "sampling.class_uniform": ("ClassUniformSampler",),
            "sampling.epochs": (
                "Draw",
                "EpochSampler",
                "TrainingSamples",
            ),
            "sampling.joint": ("JointSampler",),
            "sampling.tiles": ("Int32Array",),
            "view": (
                "ResizedDataset",
                "bring_to",
                "find_factor",
                "resize_dataset",
                "resize_image",
            ),
        },
    )

__all__ = [
    "BINS",
    "ENDING",
    "FOLDER",
    "PATIENCE",
    "PROPAGATION",
    "AutoHeader",
    "AutoRecord",
    "AutoRecords",
    "BlendedSampler",
    "CheckReport",
    "ClassUniformSampler",
    "DataError",
    "DataOptions",
    "DepthError",
    "Draw",
    "EpochSampler",
    "ExtraRules",
    "FileStatus",
    "Int32Array",
    "JointSampler",
    "OwnData",
    "Palette",
    "Patience",
    "PropagatedFrame",
    "PropagatedHeader",
    "PropagatedRecord",
    "PropagatedRecords",
    "PublishedView",
    "RandAugment",
    "Record",
    "ResizedDataset",
    "Sample",
    "SegmentationDataset",
    "Statistics",
    "TrainingSamples",
    "TrainingTransform",
    "UnsupportedError",
    "as_rgb",
    "available_datasets",
    "bring_to",
    "check_data",
    "count_other",
    "decode_dataset_image",
    "describe_by_globs",
    "describe_small",
    "draw_cloud",
    "draw_disk",
    "draw_line",
    "end_workers",
    "fetch_as_read",
    "find_auto_records",
    "find_cache",
    "find_factor",
    "find_files",
    "format_header",
    "format_propagation",
    "format_propagation_header",
    "format_record",
    "format_report",
    "format_skipped",
    "get_crc",
    "get_status",
    "index_centroids",
    "is_description",
    "is_file",
    "is_folder",
    "is_plain_label_map",
    "is_synthetic",
    "make_color",
    "open_auto_labels",
    "open_dataset",
    "open_dataset_file",
    "open_extra",
    "open_header",
    "open_propagated",
    "place_auto_labels",
    "prepare_worker",
    "read_bytes",
    "read_confidence",
    "read_dataset_image",
    "read_description",
    "read_image_header",
    "read_label_ids",
    "read_label_space",
    "read_propagation",
    "recognise_folder",
    "resize_dataset",
    "resize_image",
    "tell",
    "tell_by_name",
    "watching",
    "write_own_data",
]
