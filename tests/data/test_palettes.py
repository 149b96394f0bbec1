"""Label maps with palettes of greys, through every data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hierseg.config import DataConfig, Experiment
from hierseg.data.catalog import open_dataset
from hierseg.data.checking.check import check_data
from hierseg.data.checking.report import CheckReport
from hierseg.data.options import DataOptions
from hierseg.data.reading import DataError
from hierseg.data.sampling.centroids import index_centroids, make_key
from hierseg.data.view import resize_dataset
from hierseg.errors import UserError
from hierseg.size import Size
from hierseg.streets.layouts import draw_scenes, write_camvid, write_cityscapes
from support.damage import write_sound
from support.optimised import store_as_palette


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    root = write_camvid(tmp_path / "camvid", draw_scenes(3, Size(64, 96)))
    shutil.copytree(root, tmp_path / "original")
    for path in root.glob("*annot/*.png"):
        store_as_palette(path)
    return root


def test_what_is_ambiguous_is_refused_until_it_is_said(camvid: Path) -> None:
    original = open_dataset("camvid", camvid.parent / "original", "train")
    with pytest.raises(DataError, match=r"has a palette of greys, .*both.*--palette"):
        open_dataset("camvid", camvid, "train").read(0)
    values = DataOptions(palette="values")
    dataset = open_dataset("camvid", camvid, "train", options=values)
    for index in range(len(dataset)):
        expected = original.read_labels(index)
        assert expected is not None
        assert np.array_equal(dataset.read(index).labels, expected)
        resized = resize_dataset(dataset, long_edge=64)
        assert np.array_equal(resized.read(index).labels, expected)
    places = open_dataset("camvid", camvid, "train", options=DataOptions(palette="indices"))
    assert not np.array_equal(places.read_labels(0), original.read_labels(0))


def test_an_index_of_labels_is_of_one_reading(camvid: Path, tmp_path: Path) -> None:
    opened = [
        open_dataset("camvid", camvid, "train", options=DataOptions(palette=palette))
        for palette in ("values", "indices")
    ]
    assert make_key(opened[0], 32) != make_key(opened[1], 32)
    found = [index_centroids(dataset, 32, cache=tmp_path / "cache") for dataset in opened]
    assert not np.array_equal(*found)


def test_training_takes_the_setting(camvid: Path) -> None:
    from hierseg.assembly.parts import build_datasets

    data = DataConfig(name="camvid", root=camvid, batch=1, palette="values")
    built = build_datasets(Experiment(data=data))
    assert (built.train.palette, built.val.palette) == ("values", "values")
    built.train.read(0)


def test_check_says_it_and_takes_it(camvid: Path) -> None:
    for palette in (None, "values"):
        report = CheckReport("camvid")
        check_data(report, camvid, options=DataOptions(palette=palette))  # type: ignore[arg-type]
        assert report.would_go_wrong == (palette is None)
        problems = [problem for split in report.splits for problem in split.list_problems()]
        assert all("--palette" in problem for problem in problems[:2])


@pytest.mark.parametrize("labels", ["fine", "coarse", "auto"])
def test_cityscapes_labels_of_all_kinds(tmp_path: Path, labels: str) -> None:
    """Ids as 7 and 23 tell the greys from places; the confidence is grey values whatever else."""
    root = write_cityscapes(tmp_path, draw_scenes(3, Size(64, 96)))
    split = "train" if labels == "fine" else "train_extra"
    options = DataOptions(labels=labels, palette="values")  # type: ignore[arg-type]
    expected = open_dataset("cityscapes", root, split, options=options).read_labels(0)
    folders = [root / name for name in ("gtFine", "gtCoarse", "autolabelled")]
    for path in (path for folder in folders for path in folder.rglob("*.png")):
        if "instanceIds" not in path.name:
            store_as_palette(path)
    read = open_dataset("cityscapes", root, split, options=options).read_labels(0)
    assert expected is not None
    assert np.array_equal(read, expected)


def test_a_description_decides_by_its_ids_or_by_its_line(tmp_path: Path) -> None:
    description = write_sound(tmp_path)
    expected = open_dataset(str(description), None, "train").read_labels(1)
    for path in tmp_path.glob("labels/*/*.png"):
        store_as_palette(path)
    # 0 is ignored and 7, 11 and 23 are classes: places 1 to 3 are nobody's.
    assert np.array_equal(open_dataset(str(description), None, "train").read_labels(1), expected)
    text = description.read_text()
    confused = text.replace("ignore: [0, 255]", "ignore: [0, 1, 2, 3, 255]")
    description.write_text(confused)
    with pytest.raises(DataError, match="palette: indices or palette: values in a description"):
        open_dataset(str(description), None, "train").read_labels(1)
    description.write_text(confused + "palette: values\n")
    dataset = open_dataset(str(description), None, "train", options=DataOptions(palette="indices"))
    assert np.array_equal(dataset.read_labels(1), expected)  # the file knows better than the flag


@pytest.mark.parametrize("line", ["palette: greys", "palette: [values]", "palette: 1"])
def test_a_wrong_palette_in_a_description_is_a_sentence(tmp_path: Path, line: str) -> None:
    description = write_sound(tmp_path)
    description.write_text(description.read_text() + line + "\n")
    with pytest.raises(UserError, match="palette must be indices or values"):
        open_dataset(str(description), None, "train")
    description.write_text("encoding: colors\nclasses: [{name: a}]\npalette: values\nimages: a/*\n")
    with pytest.raises(UserError, match="palette is for label maps that hold ids"):
        open_dataset(str(description), None, "train")
