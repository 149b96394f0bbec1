from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hierseg.data.catalog import available_datasets, open_dataset
from hierseg.data.checking.check import check_data
from hierseg.data.checking.report import CheckReport
from hierseg.data.datasets.synthetic import IMAGES, is_synthetic
from hierseg.data.options import DataOptions
from hierseg.data.sampling.centroids import index_centroids
from hierseg.errors import UsageError
from hierseg.size import Size

SMALL = DataOptions(size=Size(70, 96))


def test_images_and_labels_are_made_up_without_files(tmp_path: Path) -> None:
    dataset = open_dataset("synthetic", None, "train", options=SMALL)
    assert (len(dataset), dataset.has_labels) == (IMAGES["train"], True)
    record = dataset.read(3)
    assert record.image.shape == (70, 96, 3)
    assert record.image.dtype == np.uint8
    assert record.image.std() > 70  # noise of all levels
    assert record.labels is not None
    assert record.labels.shape == (70, 96)
    assert set(np.unique(record.labels)) <= {*range(19), 255}
    assert dataset.list_files(3) == []
    again = open_dataset("synthetic", None, "train", options=SMALL).read(3)
    assert np.array_equal(record.image, again.image)
    assert np.array_equal(record.labels, again.labels)  # type: ignore[arg-type]
    others = (dataset.read(4), open_dataset("synthetic", None, "val", options=SMALL).read(3))
    assert not any(np.array_equal(record.image, other.image) for other in others)
    assert record.image.flags.writeable  # as torch wants it


def test_class_uniform_sampling_finds_all_classes(tmp_path: Path) -> None:
    dataset = open_dataset("synthetic", None, "val", options=SMALL)
    found = index_centroids(dataset, 32, cache=tmp_path)
    assert set(found[:, 1]) == set(range(19))


@pytest.mark.parametrize(
    ("name", "classes"), [("camvid", 11), ("cityscapes", 19), ("kitti", 19), ("mapillary", 65)]
)
def test_the_classes_are_those_of_the_named_data_set(name: str, classes: int) -> None:
    dataset = open_dataset(f"synthetic:{name}", options=SMALL)
    assert dataset.label_space.num_classes == classes
    assert is_synthetic(f"synthetic:{name}")


def test_it_is_no_data_set_to_list_or_to_check() -> None:
    assert "synthetic" not in available_datasets()
    assert not is_synthetic("synthetics")
    with pytest.raises(UsageError, match="no files to check"):
        check_data(CheckReport("synthetic"), None)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for name, root, split, sentence in (
        ("synthetic", tmp_path, "train", "leave out --data.root"),
        ("synthetic:moon", None, "train", "classes of camvid"),
        ("synthetic", None, "test", "no split 'test'"),
    ):
        with pytest.raises(UsageError, match=sentence):
            open_dataset(name, root, split)
    with pytest.raises(UsageError, match="coarse"):
        open_dataset("synthetic", None, "train", options=DataOptions(labels="coarse"))
