from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.published_view import PublishedView
from hierseg.labels import CAMVID


def test_image_and_label_are_brought_to_one_size(tmp_path: Path) -> None:
    """As Pillow does it: the image bilinear, the label nearest."""
    # No centre of a new pixel falls between two: there Pillow may round to the other one.
    random = np.random.default_rng(0)
    image, label = tmp_path / "a.png", tmp_path / "l.png"
    pixels = random.integers(0, 255, (41, 61, 3)).astype(np.uint8)
    ids = random.integers(0, 11, (41, 61)).astype(np.uint8)
    Image.fromarray(pixels).save(image)
    Image.fromarray(ids).save(label)
    dataset = SegmentationDataset("camvid", "val", CAMVID, [Sample("a", image, label)])
    for edge, size in ((46, (30, 46)), (86, (57, 86))):
        view = PublishedView(dataset, edge)
        record = view.read(0)
        assert record.labels is not None
        shape = size[::-1]
        wanted = np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.BILINEAR))
        assert np.abs(record.image.astype(int) - wanted).max() <= 1
        nearest = np.asarray(Image.fromarray(ids).resize(shape, Image.Resampling.NEAREST))
        assert (record.labels == nearest).all()
        assert (view.read_labels(0) == record.labels).all()
        assert view.counted_at == "run"
        assert view.note == f"long edge {edge}, labels too (nearest, the image bilinear)"
    same = PublishedView(dataset, 61).read(0)
    assert (same.image == pixels).all()
    assert (same.labels == ids).all()
    assert dataset.counted_at == "label"
