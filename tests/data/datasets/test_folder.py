from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.catalog import available_datasets, open_dataset
from hierseg.data.checking.check import check_data
from hierseg.data.checking.report import CheckReport
from hierseg.data.reading import DataError
from hierseg.errors import UsageError, UserError
from hierseg.labels import CITYSCAPES, LabelSpace

Writer = Callable[..., Path]

IDS = np.array([[0, 1, 255]], np.uint8).repeat(4, 0)


@pytest.fixture
def root(tmp_path: Path, write_image: Writer, write_labels: Writer) -> Path:
    write_image("images/train/x/a.jpg", (4, 3))
    write_image("images/train/b.PNG", (4, 3))
    write_labels("labels/train/x/a.png", IDS)
    write_labels("labels/train/b.png", 1 - np.minimum(IDS, 1))
    (tmp_path / "labels.json").write_text(json.dumps({"names": ["ground", "sky"]}))
    return tmp_path


def test_pairs_by_relative_path(root: Path) -> None:
    dataset = open_dataset("folder", root, "train")
    assert [s.name for s in dataset.samples] == ["b", "x/a"]
    assert np.array_equal(dataset.read(1).labels, IDS)  # type: ignore[arg-type]
    assert dataset.read(0).labels.tolist() == [[1, 0, 0]] * 4  # type: ignore[union-attr]


def test_names_alone_make_a_label_space_of_train_ids(root: Path) -> None:
    space = open_dataset("folder", root, "train").label_space
    assert space.names == ("ground", "sky")
    assert not space.raw_ids_differ
    assert space.ignore == 255
    assert len(set(space.colors)) == 2


def test_labels_json_may_hold_a_whole_space(root: Path, write_labels: Writer) -> None:
    space = LabelSpace("mine", ("a", "b"), ((1, 2, 3), (4, 5, 6)), (10, 20), (0,), {21: 1})
    (root / "labels.json").write_text(json.dumps(space.to_dict()))
    write_labels("labels/train/b.png", np.array([[10, 21, 0]], np.uint8).repeat(4, 0))
    dataset = open_dataset("folder", root, "train")
    assert dataset.label_space == space
    assert dataset.read(0).labels.tolist() == [[0, 1, 255]] * 4  # type: ignore[union-attr]


def test_a_given_space_names_train_ids(root: Path) -> None:
    (root / "labels.json").unlink()
    dataset = open_dataset("folder", root, "train", CITYSCAPES)
    assert dataset.label_space.names == CITYSCAPES.names
    assert np.array_equal(dataset.read(1).labels, IDS)  # type: ignore[arg-type]


def test_labels_json_goes_before_a_given_space(root: Path) -> None:
    assert open_dataset("folder", root, "train", CITYSCAPES).label_space.num_classes == 2


def test_without_any_space_the_cure_is_named(root: Path) -> None:
    (root / "labels.json").unlink()
    with pytest.raises(UserError, match=r"labels\.json' is not there"):
        open_dataset("folder", root, "train")


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"names": 3}', '"names"', '{"names": "road"}', "[" * 100_000]
)
def test_a_labels_json_without_names_is_named(root: Path, content: str) -> None:
    (root / "labels.json").write_text(content)
    with pytest.raises(UserError, match=r"labels\.json' is not a JSON object"):
        open_dataset("folder", root, "train")


@pytest.mark.parametrize(
    "extra",
    [
        {"raw_ids": [1]}, {"colors": [[1, 2], [3, 4]]}, {"ignore": 1}, {"ignore": "x"},
        {"colors": [[300, 0, 0], [0, 0, 0]]}, {"colors": [[-1, 0, 0], [0, 0, 0]]},
        {"raw_ids": [0, float("inf")]},
    ],
)  # fmt: skip
def test_a_labels_json_that_contradicts_itself_is_named(
    root: Path, extra: dict[str, object]
) -> None:
    (root / "labels.json").write_text(json.dumps({"names": ["a", "b"], **extra}))
    with pytest.raises(UserError, match=r"labels\.json' cannot be used"):
        open_dataset("folder", root, "train")


def test_what_a_labels_json_means_otherwise_is_not_passed_over(root: Path) -> None:
    for extra, said in (
        ({"rawids": [3, 4]}, "key 'rawids'.* nearest known key is 'raw_ids'"),
        ({"colors": [[0.5, 0.1, 0.0], [1.0, 1.0, 1.0]]}, "not integers; give red, green and blue"),
    ):
        (root / "labels.json").write_text(json.dumps({"names": ["a", "b"], **extra}))
        with pytest.raises(UserError, match=rf"labels\.json' has .*{said}"):
            open_dataset("folder", root, "train")


def test_an_id_that_is_no_class_is_named(root: Path, write_labels: Writer) -> None:
    write_labels("labels/train/b.png", 2, (4, 3))
    with pytest.raises(DataError, match=r"b\.png' .*label ids 2 "):
        open_dataset("folder", root, "train").read(0)


def test_images_alone_have_no_labels(tmp_path: Path, write_image: Writer) -> None:
    write_image("one.png")
    write_image("deep/down/two.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    dataset = open_dataset("folder", tmp_path, "val", CITYSCAPES)
    assert [s.name for s in dataset.samples] == ["deep/down/two", "one"]
    assert dataset.read(0).labels is None


def test_images_of_a_split_without_label_folder_have_no_labels(
    root: Path, write_image: Writer
) -> None:
    write_image("images/val/c.png")
    dataset = open_dataset("folder", root, "val")
    assert [s.name for s in dataset.samples] == ["c"]
    assert not dataset.has_labels


def test_what_is_missing_is_named(root: Path, write_image: Writer) -> None:
    with pytest.raises(UserError, match=r"split 'val' of folder.*--root.*images/val"):
        open_dataset("folder", root, "val")
    (root / "labels/train/b.png").unlink()
    with pytest.raises(UserError, match=r"b\.PNG' needs '.*labels/train/b\.png'"):
        open_dataset("folder", root, "train")
    write_image("images/train/b.jpg")
    with pytest.raises(UserError, match=r"b\.PNG' and '.*b\.jpg' have the same name"):
        open_dataset("folder", root, "train")


def test_the_catalogue_knows_its_names() -> None:
    names = ["camvid", "cityscapes", "folder", "kitti", "mapillary", "mapillary-v2.0"]
    assert available_datasets() == names
    with pytest.raises(UsageError, match="no data set 'coco'; there are camvid, cityscapes"):
        open_dataset("coco", Path(), "train")
    with pytest.raises(UsageError, match="did you mean 'cityscapes'"):
        open_dataset("citiscapes", Path(), "train")


def test_linked_folders_are_followed_and_hidden_ones_left_out(
    root: Path, write_image: Writer, write_labels: Writer
) -> None:
    write_image("elsewhere/c.jpg", (4, 3))
    write_labels("labels/train/night/c.png", IDS)
    write_image("images/train/.trash/d.png", (4, 3))
    (root / "images/train/night").symlink_to(root / "elsewhere")
    (root / "elsewhere" / "loop").symlink_to(root / "images")
    (root / "elsewhere" / "up").symlink_to(root / "images/train")
    dataset = open_dataset("folder", root, "train")
    assert [s.name for s in dataset.samples] == ["b", "night/c", "x/a"]


def test_a_folder_that_cannot_be_listed_is_no_empty_one(
    root: Path, write_image: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image("images/test/locked/e.png")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if path.name in ("x", "locked"):  # root may read all
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"images/train/x' cannot be read.*permission denied"):
        open_dataset("folder", root, "train")
    report = CheckReport("folder")
    check_data(report, root)
    assert "test/locked' cannot be read" in " ".join(report.problems)  # training can do without it
    assert report.would_go_wrong


def test_a_labels_json_that_hangs_or_fills_the_memory_is_refused(root: Path) -> None:
    path = root / "labels.json"
    for content, said in (
        (b"\xef\xbb\xbf" + json.dumps({"names": ["a", "b"]}).encode(), ""),
        (b'{"names": ["a"], "names": ["b", "c"]}', "line 1|a key twice"),
        (b'{"names": ["a"], "colors": [[' + b"9" * 5000 + b", 0, 0]]}", "too many digits"),
        (b'{"names": ["a", "b"], "secret=1": 2}', r"an unknown key \(not shown\)"),
        (b" " * (16 << 20) + b"1", "more than 16 MB"),
    ):
        path.write_bytes(content)
        if said:
            with pytest.raises(UserError, match=said):
                open_dataset("folder", root, "train")
        else:
            assert open_dataset("folder", root, "train").label_space.names == ("a", "b")
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="no regular file"):
        open_dataset("folder", root, "train")


def test_names_of_classes_are_printable(root: Path) -> None:
    (root / "labels.json").write_text(json.dumps({"names": ["a\x1b[2J", "b\nc"]}))
    space = open_dataset("folder", root, "train").label_space
    assert space.names == (r"a\x1b[2J", r"b\x0ac")
