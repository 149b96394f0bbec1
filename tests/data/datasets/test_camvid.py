from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.catalog import open_dataset
from hierseg.errors import UsageError, UserError
from hierseg.labels import CAMVID

Writer = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, write_image: Writer, write_labels: Writer) -> Path:
    write_image("train/b.jpg")
    write_image("train/a.png")
    write_image("val/c.jpg")
    for label in ("trainannot/a.png", "trainannot/b.png", "trainannot/unused.png"):
        write_labels(label, 10)
    write_labels("valannot/c.png", np.array([[11, 4]], np.uint8).repeat(12, 0).repeat(8, 1))
    return tmp_path


def test_reads_png_and_jpeg_in_order(root: Path) -> None:
    dataset = open_dataset("camvid", root, "train")
    assert (dataset.name, dataset.split, dataset.label_space) == ("camvid", "train", CAMVID)
    assert [s.name for s in dataset.samples] == ["a", "b"]
    assert [s.image.name for s in dataset.samples] == ["a.png", "b.jpg"]
    assert dataset.read(1).labels.max() == 10  # type: ignore[union-attr]


def test_void_is_ignored(root: Path) -> None:
    labels = open_dataset("camvid", root, "val").read(0).labels
    assert labels is not None
    assert labels[0, [0, 8]].tolist() == [255, 4]


def test_an_image_in_both_forms_is_taken_once_as_png(root: Path, write_image: Writer) -> None:
    write_image("train/b.png")
    dataset = open_dataset("camvid", root, "train")
    assert [s.image.name for s in dataset.samples] == ["a.png", "b.png"]


def test_test_split_may_lack_labels(root: Path, write_image: Writer, write_labels: Writer) -> None:
    write_image("test/d.png")
    dataset = open_dataset("camvid", root, "test")
    assert not dataset.has_labels
    write_labels("testannot/d.png", 3)
    assert open_dataset("camvid", root, "test").has_labels


def test_a_missing_label_map_is_counted_and_named(root: Path) -> None:
    (root / "trainannot" / "b.png").unlink()
    with pytest.raises(UserError, match=r"1 of 2 .*b\.jpg' needs '.*trainannot.b\.png'"):
        open_dataset("camvid", root, "train")


def test_a_labelled_split_without_its_label_folder_is_named(root: Path) -> None:
    (root / "trainannot").rename(root / "elsewhere")
    with pytest.raises(UserError, match=r"2 of 2 .*trainannot"):
        open_dataset("camvid", root, "train")


def test_a_wrong_root_names_flag_and_layout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere' is not a folder.*--data\.root.*trainannot"):
        open_dataset("camvid", tmp_path / "nowhere", "train")
    with pytest.raises(UserError, match=r"no images under.*--root.*train/\*\.png"):
        open_dataset("camvid", tmp_path, "train")
    with pytest.raises(UsageError, match=r"camvid needs its folder.*--root"):
        open_dataset("camvid", None, "train")


def test_an_unknown_split_names_those_there_are(root: Path) -> None:
    with pytest.raises(UsageError, match="no split 'trian'; it has train, val, test"):
        open_dataset("camvid", root, "trian")


def test_the_real_frames(camvid_dir: Path) -> None:
    counts = {"train": 367, "val": 101}
    for split, count in counts.items():
        dataset = open_dataset("camvid", camvid_dir, split)
        assert len(dataset) == count
        record = dataset.read(0)
        assert record.image.shape == (360, 480, 3)
        assert record.labels is not None
        assert set(np.unique(record.labels)) <= {*range(11), 255}
        # Sky is bright and above the road: ids and images belong together.
        assert record.image[record.labels == 0].mean() > record.image[record.labels == 3].mean()
        sky, road = (np.nonzero(record.labels == train)[0].mean() for train in (0, 3))
        assert sky < road


def test_a_linked_split_is_found_and_one_that_cannot_be_listed_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "train").rename(root / "frames")
    (root / "train").symlink_to(root / "frames")
    assert len(open_dataset("camvid", root, "train")) == 2

    def refuse(path: Path) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)  # root may read all
    with pytest.raises(UserError, match=r"/train' cannot be read.*permission denied"):
        open_dataset("camvid", root, "train")
