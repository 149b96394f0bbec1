from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.view import resize_dataset
from hierseg.labels import CAMVID
from hierseg.size import Size

Writer = Callable[..., Path]


@pytest.fixture
def dataset(tmp_path: Path, write_labels: Writer) -> SegmentationDataset:
    """40x80, dark and of class 0 but for its central 20x40, which is bright and of class 1."""
    labels = np.zeros((40, 80), np.uint8)
    labels[10:30, 20:60] = 1
    image = tmp_path / "a.png"
    Image.fromarray(np.repeat(labels[..., None] * 200, 3, 2)).save(image)
    sample = Sample("a", image, write_labels("l.png", labels))
    return SegmentationDataset("camvid", "val", CAMVID, [sample])


def test_nothing_to_change_changes_nothing(dataset: SegmentationDataset) -> None:
    assert resize_dataset(dataset) is dataset


def test_the_long_edge_resizes_images_alone(dataset: SegmentationDataset) -> None:
    view = resize_dataset(dataset, long_edge=160)
    record = view.read(0)
    assert record.image.shape == (80, 160, 3)
    assert record.labels is not None
    assert record.labels.shape == (40, 80)
    assert record.image[40, 80, 0] > 190
    assert record.image[5, 5, 0] < 10
    assert (view.note, len(view), view.split) == ("long edge 160", 1, "val")


def test_the_long_edge_has_its_length(dataset: SegmentationDataset) -> None:
    for edge in range(32, 3000):
        size = resize_dataset(dataset, long_edge=edge).run_size(Size(360, 480))  # type: ignore[attr-defined]
        assert size == (360 * edge // 480, edge)


def test_a_factor_resizes_images_alone(dataset: SegmentationDataset) -> None:
    view = resize_dataset(dataset, enlarge=2.0)
    record = view.read(0)
    assert record.image.shape == (80, 160, 3)
    assert record.labels is not None
    assert record.labels.shape == (40, 80)
    assert view.note == "images resized by 2"
    cropped = resize_dataset(dataset, crop=Size(40, 80), enlarge=2.0).read(0)
    assert cropped.labels is not None
    assert (cropped.labels.shape, cropped.image.shape) == ((20, 40), (40, 80, 3))


def test_the_central_crop_is_of_the_resized_image(dataset: SegmentationDataset) -> None:
    dataset.note = "cv 1"
    view = resize_dataset(dataset, long_edge=160, crop=Size(40, 80))
    record = view.read(0)
    assert record.image.shape == (40, 80, 3)
    assert record.labels is not None
    assert record.labels.shape == (20, 40)
    assert (record.labels == 1).all()
    assert record.image.min() > 150
    labels = view.read_labels(0)
    assert labels is not None
    assert labels.shape == (20, 40)
    assert view.note == "cv 1, long edge 160, central crop 40x80"


def test_a_crop_larger_than_the_image_keeps_it_all(dataset: SegmentationDataset) -> None:
    record = resize_dataset(dataset, crop=Size(400, 60)).read(0)
    assert record.image.shape == (40, 60, 3)


def test_the_short_edge_has_its_length(dataset: SegmentationDataset) -> None:
    view = resize_dataset(dataset, short_edge=60)
    record = view.read(0)
    assert record.image.shape == (60, 120, 3)
    assert record.labels is not None
    assert record.labels.shape == (40, 80)
    assert view.note == "short edge 60"
    for edge in range(32, 2000):
        size = resize_dataset(dataset, short_edge=edge).run_size(Size(480, 360))  # type: ignore[attr-defined]
        assert size == (480 * edge // 360, edge)


def test_a_short_edge_with_a_crop_of_its_length_is_a_square(dataset: SegmentationDataset) -> None:
    view = resize_dataset(dataset, crop=Size(64, 64), short_edge=64)
    record = view.read(0)
    assert record.image.shape == (64, 64, 3)
    assert record.labels is not None
    assert record.labels.shape == (40, 40)
    assert view.note == "short edge 64, central crop 64x64"
    for height, width in ((2448, 3264), (3264, 2448), (1531, 2999)):
        square = resize_dataset(dataset, crop=Size(1536, 1536), short_edge=1536)
        assert square.run_size(Size(height, width)) == (1536, 1536)  # type: ignore[attr-defined]
