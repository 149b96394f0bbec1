from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hierseg.data.catalog import open_dataset
from hierseg.errors import UsageError, UserError
from hierseg.labels import CITYSCAPES

Writer = Callable[..., Path]

LAYOUTS = {
    "plain": ("leftImg8bit", "gtFine"),
    "archives": ("leftImg8bit_trainvaltest/leftImg8bit", "gtFine_trainvaltest/gtFine"),
    "images from the archive": ("leftImg8bit_trainvaltest/leftImg8bit", "gtFine"),
}
FRAMES = [("ulm", "ulm_000001_000019"), ("aachen", "aachen_000000_000019")]


@pytest.fixture(params=LAYOUTS)
def root(
    tmp_path: Path, request: pytest.FixtureRequest, write_image: Writer, write_labels: Writer
) -> Path:
    images, labels = LAYOUTS[request.param]
    for train_id, (city, frame) in enumerate(FRAMES):
        write_image(f"{images}/train/{city}/{frame}_leftImg8bit.png")
        raw = CITYSCAPES.raw_ids[train_id]
        write_labels(f"{labels}/train/{city}/{frame}_gtFine_labelIds.png", raw)
        write_labels(f"{labels}/train/{city}/{frame}_gtFine_instanceIds.png", 99)
    write_image(f"{images}/test/berlin/berlin_000000_000019_leftImg8bit.png")
    write_labels(f"{labels}/test/berlin/berlin_000000_000019_gtFine_labelIds.png", 0)
    return tmp_path


def test_finds_pairs_by_city(root: Path) -> None:
    dataset = open_dataset("cityscapes", root, "train")
    assert (dataset.name, dataset.split) == ("cityscapes", "train")
    assert dataset.label_space is CITYSCAPES
    assert [s.name for s in dataset.samples] == ["aachen_000000_000019", "ulm_000001_000019"]
    labels = [dataset.read(i).labels for i in range(2)]
    assert [int(array.max()) for array in labels if array is not None] == [1, 0]


def test_test_has_no_labels(root: Path) -> None:
    dataset = open_dataset("cityscapes", root, "test")
    assert len(dataset) == 1
    assert dataset.read(0).labels is None


def test_train_extra_has_an_archive_of_its_own(tmp_path: Path, write_image: Writer) -> None:
    write_image("leftImg8bit_trainextra/leftImg8bit/train_extra/ulm/ulm_1_1_leftImg8bit.png")
    dataset = open_dataset("cityscapes", tmp_path, "train_extra")
    assert [s.name for s in dataset.samples] == ["ulm_1_1"]
    assert not dataset.has_labels


def test_a_missing_label_map_is_named(root: Path) -> None:
    next(root.rglob("ulm*_labelIds.png")).unlink()
    with pytest.raises(
        UserError, match=r"1 of 2 .*needs '.*ulm_000001_000019_gtFine_labelIds\.png'"
    ):
        open_dataset("cityscapes", root, "train")


def test_an_empty_split_names_flag_and_layout(root: Path) -> None:
    with pytest.raises(UserError, match=r"'val' of cityscapes.*--data\.root.*leftImg8bit/val/CITY"):
        open_dataset("cityscapes", root, "val")
    with pytest.raises(UsageError, match="no split 'validation'"):
        open_dataset("cityscapes", root, "validation")
