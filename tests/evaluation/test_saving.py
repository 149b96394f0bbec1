"""Label maps of an evaluation: where they may go, and what happens where they cannot."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.label_maps import LabelMaps, score_label_maps
from hierseg.evaluation.saving import PredictionFiles, require_apart
from hierseg.media import picture_writing

from .conftest import SPACE

LONG = "n" * 250


def _dataset(root: Path, *names: str) -> SegmentationDataset:
    samples = []
    for name in names:
        image, label = root / "images" / f"{name}.png", root / "masks" / f"{name}.png"
        for path in (image, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), np.zeros((40, 50, 3), np.uint8))
        cv2.imwrite(str(label), np.ones((40, 50), np.uint8))
        samples.append(Sample(name, image, label))
    return SegmentationDataset("cards", "val", SPACE, samples)


def _write_all(files: PredictionFiles, dataset: SegmentationDataset) -> None:
    for index in range(len(dataset)):
        record = dataset.read(index)
        assert record.labels is not None
        files.look(index, record, record.labels)


def test_no_folder_that_leads_to_the_truth_is_taken(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "data", "val/a", "val/b")
    root = tmp_path / "data"
    link, below = tmp_path / "link", tmp_path / "below"
    link.symlink_to(root / "masks")
    below.mkdir()
    (below / "val").symlink_to(root / "masks" / "val")
    odd = root / "none" / ".." / "masks"
    for folder in (root, root / "masks", root / "masks" / "val", root / "images", link, below, odd):
        with pytest.raises(UsageError, match=r"--save-predictions .* holds images or labels of"):
            require_apart(folder, dataset)
    for folder in (tmp_path / "maps", root / "maps", root / "masks" / "predictions"):
        require_apart(folder, dataset)


def test_labels_that_are_links_are_found_where_they_lie(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "data", "a")
    store = tmp_path / "store"
    store.mkdir()
    label = dataset.samples[0].label
    assert label is not None
    label.rename(store / "a.png")
    label.symlink_to(store / "a.png")
    with pytest.raises(UsageError, match="holds images or labels"):
        require_apart(store, dataset)


def test_names_as_long_as_a_file_system_takes_are_found_again(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "data", LONG, f"a/{LONG}")
    files = PredictionFiles.open(tmp_path / "maps", dataset, None, overwrite=False)
    _write_all(files, dataset)
    files.require_all()
    assert score_label_maps(LabelMaps(tmp_path / "maps", dataset)).scores.miou == 1.0


def test_a_map_that_cannot_be_written_is_said_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _dataset(tmp_path / "data", "a", "b", "c")
    out = tmp_path / "maps"
    (out / "a_labels.png").mkdir(parents=True)
    files = PredictionFiles.open(out, dataset, None, overwrite=False)
    _write_all(files, dataset)
    with pytest.raises(UserError, match=r"1 label map could not be written: .*a_labels\.png"):
        files.require_all()
    assert {path.name for path in out.glob("*.png")} == {
        "a_labels.png", "b_labels.png", "c_labels.png",
    }  # fmt: skip

    def fill(path: Path, content: bytes, within: Path | None = None) -> Path:
        raise OSError(errno.ENOSPC, "No space left", str(path))

    monkeypatch.setattr(picture_writing, "write_bytes", fill)
    with pytest.raises(OSError, match="No space"):
        _write_all(files, dataset)
