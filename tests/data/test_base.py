from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.reading import DataError
from hierseg.labels import CITYSCAPES

Writer = Callable[..., Path]


def one(image: Path, label: Path | None) -> SegmentationDataset:
    return SegmentationDataset("some", "val", CITYSCAPES, [Sample("a", image, label)])


def test_reads_and_remaps_to_train_ids(write_image: Writer, write_labels: Writer) -> None:
    ids = np.array([[7, 8, 0], [33, 255, 26]], np.uint8)
    dataset = one(write_image("a.png", (2, 3)), write_labels("l.png", ids))
    record = dataset.read(0)
    assert record.name == "a"
    assert record.image.shape == (2, 3, 3)
    assert record.image.dtype == np.uint8
    assert record.labels is not None
    assert record.labels.dtype == np.uint8
    assert record.labels.tolist() == [[0, 1, 255], [18, 255, 13]]
    labels = dataset.read_labels(0)
    assert labels is not None
    assert labels.tolist() == record.labels.tolist()
    assert dataset.has_labels
    assert len(dataset) == 1


def test_a_sample_without_label_map_has_no_labels(write_image: Writer) -> None:
    dataset = one(write_image("a.png"), None)
    assert dataset.read(0).labels is None
    assert not dataset.has_labels


def test_an_unknown_id_names_file_and_id(write_image: Writer, write_labels: Writer) -> None:
    dataset = one(write_image("a.png"), write_labels("wrong_labels.png", 77))
    with pytest.raises(DataError, match=r"wrong_labels\.png' .* 77 .*'cityscapes'"):
        dataset.read(0)
    with pytest.raises(DataError, match="77"):
        dataset.read_labels(0)


def test_a_pair_of_two_sizes_names_both(write_image: Writer, write_labels: Writer) -> None:
    dataset = one(write_image("a.png", (12, 16)), write_labels("l.png", 7, (16, 12)))
    with pytest.raises(DataError, match=r"a\.png' is 12x16 .*l\.png' is 16x12"):
        dataset.read(0)


def test_a_damaged_image_is_named(write_image: Writer, write_labels: Writer) -> None:
    image = write_image("broken.png", (60, 60))
    image.write_bytes(image.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"broken\.png' is damaged"):
        one(image, write_labels("l.png", 7)).read(0)
