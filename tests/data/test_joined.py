"""Several splits as one, of every data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from hierseg.data.catalog import open_dataset
from hierseg.data.joined import JoinedDataset, list_parts
from hierseg.data.options import DataOptions
from hierseg.data.sampling.centroids import index_centroids
from hierseg.errors import UsageError, UserError
from hierseg.size import Size
from hierseg.streets.layouts import LAYOUTS, draw_scenes

Writer = Callable[..., Path]


@pytest.mark.parametrize("name", ["camvid", "cityscapes", "kitti", "mapillary"])
def test_train_and_val_of_a_public_data_set(name: str, tmp_path: Path) -> None:
    root = LAYOUTS[name](tmp_path, draw_scenes(6, Size(64, 128)))
    parts = [open_dataset(name, root, split) for split in ("train", "val")]
    joined = open_dataset(name, root, "train+val")
    assert len(joined) == len(parts[0]) + len(parts[1]) == 6
    assert (joined.name, joined.split) == (parts[0].name, "train+val")
    assert joined.label_space == parts[0].label_space
    assert joined.has_labels
    for part, start in ((parts[0], 0), (parts[1], len(parts[0]))):
        for index in range(len(part)):
            own, found = part.read(index), joined.read(start + index)
            assert np.array_equal(own.image, found.image)
            assert np.array_equal(own.labels, found.labels)  # type: ignore[arg-type]
            assert np.array_equal(own.labels, joined.read_labels(start + index))  # type: ignore[arg-type]
            assert joined.list_files(start + index) == part.list_files(index)
    whole = index_centroids(joined, 32, cache=tmp_path / "cache")
    assert set(whole[:, 0]) == set(range(6))


def test_a_folder_and_a_description(
    tmp_path: Path, write_image: Writer, write_labels: Writer
) -> None:
    for split, label in (("train", 0), ("val", 1)):
        write_image(f"images/{split}/a.png", (4, 3))
        write_labels(f"labels/{split}/a.png", label, (4, 3))
    (tmp_path / "labels.json").write_text('{"names": ["ground", "sky"]}')
    folder = open_dataset("folder", tmp_path, "val+train")
    # The two have one name; each keeps that of its split.
    assert [sample.name for sample in folder.samples] == ["val/a", "train/a"]
    assert [folder.read(i).name for i in (0, 1)] == ["val/a", "train/a"]
    assert [int(folder.read_labels(i).max()) for i in (0, 1)] == [1, 0]  # type: ignore[union-attr]
    text = {
        "classes": [{"name": "ground", "color": [1, 2, 3]}, {"name": "sky", "color": [9, 9, 9]}],
        "images": "images/*/*.png",
        "labels": "labels/*/*.png",
        "split": {"val": ["val/*"]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(text))
    path = str(tmp_path / "mine.yaml")
    described = open_dataset(path, None, "train+val")
    assert [sample.name for sample in described.samples] == ["train/a", "val/a"]
    with pytest.raises(UsageError, match="no split 'odd'"):
        open_dataset(path, None, "train+odd")


def test_a_split_of_that_very_name_goes_first(
    tmp_path: Path, write_image: Writer, write_labels: Writer
) -> None:
    (tmp_path / "labels.json").write_text('{"names": ["ground", "sky"]}')
    for split in ("train", "train+val"):
        write_image(f"images/{split}/{split}.png", (4, 3))
        write_labels(f"labels/{split}/{split}.png", 0, (4, 3))
    dataset = open_dataset("folder", tmp_path, "train+val")
    assert [sample.name for sample in dataset.samples] == ["train+val"]
    # A folder of images alone has any split.
    alone = tmp_path / "images" / "train"
    (alone / "labels.json").write_text('{"names": ["ground", "sky"]}')
    assert len(open_dataset("folder", alone, "a+b")) == 1


def test_an_image_of_two_splits_counts_once(tmp_path: Path) -> None:
    root = LAYOUTS["kitti"](tmp_path, draw_scenes(6, Size(64, 128)))
    everything = DataOptions(cv=3)  # all images in both
    joined = open_dataset("kitti", root, "train+val", options=everything)
    assert len(joined) == 6
    assert joined.note == "cv 3, all images for training and validation"


def test_every_other_sample_is_read_as_itself(tmp_path: Path) -> None:
    """Whoever thins a split out by its list of samples gets those samples."""
    root = LAYOUTS["camvid"](tmp_path, draw_scenes(6, Size(64, 128)))
    joined = open_dataset("camvid", root, "train+val")
    names = [sample.name for sample in joined.samples]
    joined.samples = joined.samples[::2]
    assert [joined.read(i).name for i in range(3)] == names[::2]


def test_kinds_of_labels_reach_every_part(tmp_path: Path) -> None:
    root = LAYOUTS["cityscapes"](tmp_path, draw_scenes(6, Size(64, 128)))
    coarse = DataOptions(labels="coarse")
    joined = open_dataset("cityscapes", root, "train_extra", options=coarse)
    assert not isinstance(joined, JoinedDataset)
    assert joined.label_rule
    both = open_dataset("cityscapes", root, "train+test", keep_unpaired=True)
    assert not both.has_labels


@pytest.mark.parametrize("split", ["train+", "+", "train+train", "+val", "train++val"])
def test_what_names_no_splits_is_refused(split: str) -> None:
    with pytest.raises(UsageError, match=r"train\+val"):
        list_parts(split)


def test_a_missing_label_map_is_named(tmp_path: Path) -> None:
    root = LAYOUTS["camvid"](tmp_path, draw_scenes(6, Size(64, 128)))
    next((root / "valannot").iterdir()).unlink()
    with pytest.raises(UserError, match="has no label map"):
        open_dataset("camvid", root, "train+val")
