from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.catalog import open_dataset
from hierseg.errors import UserError
from hierseg.labels import MAPILLARY

Writer = Callable[..., Path]

LABELS = [
    {"readable": "Road", "name": "flat--road", "color": [1, 2, 3], "evaluate": True},
    {"readable": "Ego", "name": "void--ego", "color": [9, 9, 9], "evaluate": False},
    {"readable": "Sign", "name": "sign--front", "color": [4, 5, 6], "evaluate": True},
    {"readable": "Sign", "name": "sign--back", "color": [7, 8, 9], "evaluate": True},
    {"readable": "Unlabeled", "name": "void", "color": [0, 0, 0], "evaluate": False},
]
IDS = np.array([[0, 1, 2], [3, 4, 0]], np.uint8)


@pytest.fixture(params=["labels", "v2.0/labels", "outer"])
def root(
    tmp_path: Path, request: pytest.FixtureRequest, write_image: Writer, write_labels: Writer
) -> tuple[str, Path]:
    inner = "v2.0/validation/labels" if request.param == "outer" else f"validation/{request.param}"
    write_image("validation/images/a.jpg", (2, 3))
    write_labels(f"{inner}/a.png", IDS)
    write_image("testing/images/t.jpg", (2, 3))
    name = "mapillary" if request.param == "labels" else "mapillary-v2.0"
    (tmp_path / "config.json").write_text(json.dumps({"labels": LABELS}))
    return name, tmp_path


def test_evaluated_labels_are_the_classes(root: tuple[str, Path]) -> None:
    dataset = open_dataset(*root, "val")
    space = dataset.label_space
    assert space.names == ("Road", "sign--front", "sign--back")
    assert space.colors == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert space.raw_ids == (0, 2, 3)
    labels = dataset.read(0).labels
    assert labels is not None
    assert labels.tolist() == [[0, 255, 1], [2, 255, 0]]
    assert space.decode(labels).tolist() == [[0, 4, 2], [3, 4, 0]]
    assert not open_dataset(*root, "test").has_labels


def test_a_versions_own_config_goes_first(root: tuple[str, Path]) -> None:
    name, folder = root
    version = "v1.2" if name == "mapillary" else "v2.0"
    config = folder / f"config_{version}.json"
    config.write_text(json.dumps({"labels": LABELS[:2]}))
    assert open_dataset(name, folder, "val").label_space.num_classes == 1


@pytest.mark.parametrize("content", ["{", "[]", '{"labels": 3}', '{"labels": [{"readable": 1}]}'])
def test_a_config_that_is_none_is_named(root: tuple[str, Path], content: str) -> None:
    (root[1] / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json' is not Mapillary's"):
        open_dataset(*root, "val")


def test_without_config_its_use_is_said(root: tuple[str, Path]) -> None:
    (root[1] / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json' cannot be read.*what"):
        open_dataset(*root, "val")


def test_labels_of_the_other_version_name_it(tmp_path: Path, write_image: Writer) -> None:
    write_image("training/images/a.jpg")
    (tmp_path / "training" / "v2.0").mkdir()
    with pytest.raises(UserError, match=r"labels of version 2\.0.*mapillary-v2\.0"):
        open_dataset("mapillary", tmp_path, "train")


def test_the_published_classes() -> None:
    assert MAPILLARY.num_classes == 65
    assert MAPILLARY.encode(np.array([0, 13, 64, 65])).tolist() == [0, 13, 64, 255]
    assert MAPILLARY.decode(np.array([255, 64])).tolist() == [65, 64]
    assert MAPILLARY.names[13] == "Road"
    assert not MAPILLARY.raw_ids_differ


@pytest.mark.parametrize(
    ("old", "new"), [("[1, 2, 3]", "[Infinity, 2, 3]"), ("[1, 2, 3]", f"[{'9' * 5000}, 2, 3]")]
)
def test_numbers_that_are_no_colour_are_no_traceback(
    root: tuple[str, Path], old: str, new: str
) -> None:
    config = root[1] / "config.json"
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(UserError, match=r"config\.json' is not Mapillary's"):
        open_dataset(*root, "val")
    config.write_text(config.read_text().replace(new, "[1, 2, 300]"))
    with pytest.raises(UserError, match=r"config\.json' cannot be used: .*colours outside"):
        open_dataset(*root, "val")


def test_a_config_with_a_byte_order_mark_is_read(root: tuple[str, Path]) -> None:
    config = root[1] / "config.json"
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    assert open_dataset(*root, "val").label_space.num_classes == 3
