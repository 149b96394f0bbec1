"""A user's own data by a file: what it may say, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from hierseg.data.base import SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.data.reading import DataError
from hierseg.errors import UsageError, UserError
from support.damage import DAMAGES, STOPS_OPENING, write_sound

CLASSES = [{"name": "road", "id": 7, "color": [1, 2, 3]}, {"name": "sky", "ids": [23, 24]}]
WHOLE: dict[str, Any] = {
    "classes": CLASSES,
    "images": "img/*/*.png",
    "labels": "ann/*/*_ids.png",
    "split": {"val": ["a/*"]},
}


def _save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/1", "a/2", "b/1", "b/2"):
        _save(tmp_path / f"img/{name}.png", np.zeros((2, 3, 3)))
        _save(tmp_path / f"ann/{name}_ids.png", [[7, 23, 24], [255, 7, 7]])
    return tmp_path


def _open(
    folder: Path, part: str = "val", at: Path | None = None, **changes: Any
) -> SegmentationDataset:
    """The data set of ``WHOLE`` with changes; None takes a key out."""
    content = {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return open_dataset(str(path), at, part)


def _names(dataset: SegmentationDataset) -> list[str]:
    return [sample.name for sample in dataset.samples]


def test_ids_names_and_colours(folder: Path) -> None:
    dataset = _open(folder)
    space = dataset.label_space
    assert (space.names, space.raw_ids, space.void_raw_id) == (("road", "sky"), (7, 23), 255)
    assert space.colors[0] == (1, 2, 3)
    assert (dataset.name, dataset.note, dataset.statistics) == ("mine", "", None)
    labels = dataset.read(0).labels
    assert labels is not None
    assert labels.tolist() == [[0, 1, 1], [255, 0, 0]]
    assert space.decode(labels).tolist() == [[7, 23, 23], [255, 7, 7]]


def test_each_star_of_labels_is_what_the_star_of_images_matched(folder: Path) -> None:
    assert _names(_open(folder)) == ["a/1", "a/2"]
    assert _names(_open(folder, "train")) == ["b/1", "b/2"]
    sample = _open(folder).samples[1]
    assert sample.label == folder / "ann/a/2_ids.png"
    deep = _open(folder, images="img/**/*.png", labels="ann/**/*_ids.png")
    assert [s.label for s in deep.samples] == [folder / f"ann/a/{i}_ids.png" for i in (1, 2)]


def test_shares_are_drawn_from_the_seed_and_said(folder: Path) -> None:
    splits = {}
    for seed in range(8):
        parts = [
            _names(_open(folder, part, split={"val": 0.25, "test": 0.25, "seed": seed}))
            for part in ("train", "val", "test")
        ]
        assert [len(part) for part in parts] == [2, 1, 1]
        assert sorted(name for part in parts for name in part) == ["a/1", "a/2", "b/1", "b/2"]
        splits[seed] = parts[1][0]
    assert len(set(splits.values())) > 1
    assert _open(folder, split={"val": 0.25, "seed": 3}).note == "drawn from seed 3"


def test_splits_may_lie_in_places_of_their_own(folder: Path) -> None:
    splits = {
        "train": {"images": "img/a/*.png", "labels": "ann/a/*_ids.png"},
        "test": {"images": "img/b/*.png"},
    }
    own = {"images": None, "labels": None, "split": None, "splits": splits}
    assert _names(_open(folder, "train", **own)) == ["1", "2"]
    assert not _open(folder, "test", **own).has_labels
    with pytest.raises(UsageError, match=r"no split 'val'; it has train, test"):
        _open(folder, "val", **own)


def test_a_csv_names_pairs_and_splits(folder: Path) -> None:
    (folder / "pairs.csv").write_text(
        "image,label,split\nimg/a/1.png,ann/b/1_ids.png,val\nimg/b/2.png,ann/b/2_ids.png,train\n"
    )
    own = {"images": None, "labels": None, "split": None, "pairs": "pairs.csv"}
    dataset = _open(folder, "val", **own)
    assert _names(dataset) == ["img/a/1"]
    assert dataset.samples[0].label == folder / "ann/b/1_ids.png"
    with pytest.raises(UsageError, match=r"no split 'test'; it has val, train"):
        _open(folder, "test", **own)


def test_colours_stand_for_classes(folder: Path) -> None:
    red, blue, black = (255, 0, 0), (0, 0, 255), (0, 0, 0)
    for name in ("a/1", "a/2"):
        _save(folder / f"ann/{name}_ids.png", [[red, blue, black], [blue, blue, red]])
    classes = [{"name": "x", "color": list(blue), "id": 5}, {"name": "y", "color": list(red)}]
    changes = {"encoding": "colors", "classes": classes, "ignore": [[0, 0, 0]]}
    dataset = _open(folder, **changes)
    labels = dataset.read(0).labels
    assert labels is not None
    assert labels.tolist() == [[1, 0, 255], [0, 0, 1]]
    assert dataset.label_space.raw_ids == (5, 1)
    _save(folder / "ann/a/2_ids.png", [[red, (1, 2, 3), black], [blue, blue, red]])
    with pytest.raises(DataError, match=r"a/2_ids\.png' has colours of no class: \(1, 2, 3\)"):
        dataset.read(1)


def test_mean_and_deviation(folder: Path) -> None:
    statistics = _open(folder, mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6]).statistics
    assert statistics == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_root_is_where_the_file_is_or_what_it_or_the_flag_says(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    assert len(_open(elsewhere, at=folder)) == 2
    path = elsewhere / "mine.json"
    path.write_text(json.dumps({**WHOLE, "root": ".."}))
    assert len(open_dataset(str(path), None, "val")) == 2


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"clases": []}, "key 'clases'.*nearest known key is 'classes'"),
    ({"classes": None}, "no classes"),
    ({"classes": [{"name": "a", "colour": [1, 2, 3]}]}, "class a has an unknown key.*'color'"),
    ({"classes": [{"color": [1, 2, 3]}]}, "class 1 has no name"),
    ({"classes": [{"name": "a", "color": [1, 2, 300]}]}, "class a: a colour is"),
    ({"classes": [{"name": "a", "id": -1}]}, "class a: an id is"),
    ({"classes": [{"name": "a", "id": True}]}, "class a: an id is"),
    ({"classes": [{"name": "a", "id": 1, "ids": [2]}]}, "id and ids"),
    ({"classes": ["a", "a"]}, "two classes are called a"),
    ({"classes": ["a"], "ignore": [0]}, "ignore and a have the same id 0"),
    ({"classes": [{"name": "a", "ids": [4, 4]}]}, "same id 4"),
    ({"encoding": "rgb"}, "encoding must be ids or colors"),
    ({"encoding": "colors", "ignore": [[1, 2, 3]]}, "ignore and road have the same colour"),
    ({"ignore": 255}, "ignore must be a list"),
    ({"mean": [0.1, 0.1, 0.1]}, "mean and std"),
    ({"mean": [104, 117, 123], "std": [1, 1, 1]}, "mean and std"),
    ({"mean": [0, 0, 0], "std": [0, 0, 0]}, "mean and std"),
    ({"split": {"val": 1.5}}, "split val must be a share"),
    ({"split": {"val": 0.6, "test": 0.5}}, "leave nothing to train on"),
    ({"split": {"train": 0.5}}, "remove it from split"),
    ({"split": {"val": 0.5, "seed": "x"}}, "seed of split"),
    ({"split": None}, "does not say which images are for training"),
    ({"labels": "ann/*.png"}, "the same number of stars"),
    ({"images": "/img/*.png", "labels": None}, "leads out"),
    ({"images": "../*.png", "labels": None}, "leads out"),
    ({"images": "[z-a]*.png", "labels": None}, "cannot be read"),
    ({"images": "img/**.png", "labels": None}, "must stand alone between slashes"),
    ({"images": 3}, "patterns, or a file"),
    ({"images": None, "labels": None, "split": None, "splits": {"val": {}}}, "split val is empty"),
    ({"pairs": "x.csv"}, "needs either"),
    ({"splits": {"val": {"images": "img/*.png"}}}, "must say in one way"),
    ({"images": None, "labels": None}, "must say in one way"),
    ({"images": None, "labels": None, "split": None, "splits": {"val": {"image": "x"}}}, "'image'"),
    ({"name": 3}, "name and root"),
    ({"root": "nowhere"}, "nowhere' is not a folder"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_cannot_be_is_refused_with_file_and_key(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said) as raised:
        _open(folder, **changes)
    assert "mine.yaml" in str(raised.value)


def test_a_csv_that_can_be_no_file_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"pairs '.*a\\x00b\.csv' is not the name of a file"):
        _open(folder, images=None, labels=None, pairs="a\0b.csv")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "line 1 does not name the columns"),
        ("picture,label\n", "line 1 does not name the columns"),
        ("image,image\n", "line 1 names a column twice"),
        ("image,label\nimg/a/1.png\n", "line 2 has 1 entries"),
        ("image,label\n\nimg/a/1.png,\n", "line 3 has 1 entries"),
        ("image,label\nimg/a/1.png,x.png\nimg/a/1.png,y.png\n", "line 3 names .*second time"),
        ("image,label\nimg/a/9.png,x.png\n", "line 2 names 'img/a/9.png', which is not"),
        ('image,label\n"img/a/1.png,x.png\n', "line 2 cannot be read"),
        ("image,label\n.,x.png\n", "line 2 names '.', which cannot be a file"),
    ],
)
def test_a_csv_that_cannot_be_is_refused_with_its_line(folder: Path, rows: str, said: str) -> None:
    (folder / "pairs.csv").write_text(rows)
    with pytest.raises(UserError, match=rf"pairs\.csv' {said}"):
        _open(folder, images=None, labels=None, pairs="pairs.csv")


@pytest.mark.parametrize("content", ["name: !!bool foo", "name: !!timestamp x", 'name: !!int ""'])
def test_a_tag_of_yaml_that_its_value_does_not_fit_is_no_traceback(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"mine\.yaml' is not readable YAML"):
        open_dataset(str(path), None, "train")


@pytest.mark.parametrize("content", ["{", "[]", "3", "", "a: b: c", "a: &x [*x, *x]", "\0"])
def test_a_file_that_is_no_description_is_named(tmp_path: Path, content: str) -> None:
    for suffix in (".yaml", ".json"):
        path = tmp_path / f"mine{suffix}"
        path.write_text(content)
        with pytest.raises(UserError, match="mine"):
            open_dataset(str(path), None, "train")
    with pytest.raises(UserError, match=r"there is no file '.*none\.yml'"):
        open_dataset(str(tmp_path / "none.yml"), None, "train")


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_named(damage: str, tmp_path: Path) -> None:
    description = write_sound(tmp_path)

    def read_all() -> None:
        for split in ("train", "val"):
            dataset = open_dataset(str(description), None, split)
            opened.append(split)
            for index in range(len(dataset)):
                dataset.read(index)

    opened: list[str] = []
    read_all()
    opened.clear()
    words = DAMAGES[damage](tmp_path)
    with pytest.raises(UserError) as raised:
        read_all()
    assert all(word in str(raised.value) for word in words), str(raised.value)
    if damage in STOPS_OPENING:
        assert opened == (["train"] if damage == "an empty split" else [])
    else:
        assert opened == ["train"]


def test_a_file_that_is_no_csv_is_not_shown(folder: Path) -> None:
    path = folder / "pairs.csv"
    for content in ("HOME=/root\0TOKEN=hunter2\0", "hunter2\n", "image,label\nTOKEN=hunter2,x\n"):
        path.write_text(content)
        with pytest.raises(UserError, match=r"pairs\.csv' line [12]") as raised:
            _open(folder, images=None, labels=None, pairs="pairs.csv")
        assert "hunter2" not in str(raised.value)
        assert "TOKEN" not in str(raised.value)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=r"pairs\.csv' cannot be read.*no regular file"):
        _open(folder, images=None, labels=None, pairs="pairs.csv")


def test_paths_that_no_file_can_have_are_not_there(folder: Path) -> None:
    for wrong in ("x" * 5000, "x/" * 3000, "a\0b"):
        with pytest.raises(UserError, match="is not a folder"):
            _open(folder, root=wrong)
        with pytest.raises(UserError, match="no images"):
            _open(folder, images=wrong, labels=None)
