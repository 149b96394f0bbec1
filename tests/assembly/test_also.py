"""Another data set that a share of every epoch comes from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hierseg.assembly import build_datasets, check_experiment
from hierseg.config import DataConfig, Experiment, RuntimeConfig
from hierseg.data import index_centroids, open_dataset
from hierseg.errors import UsageError
from hierseg.labels import CAMVID, CITYSCAPES
from hierseg.size import Size
from hierseg.training.inventory import list_entries
from hierseg.training.loading import build_sampler

MAPPING = Path(__file__).resolve().parents[2] / "examples" / "data" / "streets-as-camvid.yaml"


@pytest.fixture(scope="module")
def camvid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames to train on and one to validate on, all road but for a patch of sky."""
    root = tmp_path_factory.mktemp("camvid")
    for split, count in (("train", 12), ("val", 1)):
        (root / split).mkdir()
        (root / f"{split}annot").mkdir()
        for number in range(count):
            labels = np.full((48, 64), 3, np.uint8)
            labels[:8] = 0
            image = np.full((48, 64, 3), 90, np.uint8)
            assert cv2.imwrite(str(root / split / f"{number}.png"), image)
            assert cv2.imwrite(str(root / f"{split}annot" / f"{number}.png"), labels)
    return root


def describe(camvid: Path, **changed: Any) -> Experiment:
    settings = {"batch": 2, "crop": Size(48, 64), "class_uniform": 0.0, **changed}
    data = DataConfig(name="camvid", root=camvid, **settings)
    return Experiment(data=data, runtime=RuntimeConfig(out=Path("run"), device="cpu"))


def test_streets_are_read_in_the_classes_of_camvid(street_clips: Path) -> None:
    streets = open_dataset("cityscapes", street_clips, "train")
    mapped = open_dataset(MAPPING, street_clips, "train")
    assert len(mapped) == len(streets) == 2
    assert mapped.label_space.colors == CAMVID.colors
    names = {
        "road": "road", "sidewalk": "pavement", "building": "building", "wall": "building",
        "fence": "fence", "pole": "pole", "traffic light": "sign", "traffic sign": "sign",
        "vegetation": "tree", "terrain": "tree", "sky": "sky", "person": "pedestrian",
        "rider": "bicyclist", "car": "car", "truck": "car", "bus": "car", "train": "car",
        "motorcycle": "bicyclist", "bicycle": "bicyclist",
    }  # fmt: skip
    table = np.full(256, 255, np.uint8)
    for train, name in enumerate(CITYSCAPES.names):
        table[train] = CAMVID.names.index(names[name])
    for index in range(2):
        own, other = streets.read(index), mapped.read(index)
        assert np.array_equal(own.image, other.image)
        assert own.labels is not None
        assert other.labels is not None
        assert np.array_equal(table[own.labels], other.labels)
    # Every id that Cityscapes' label maps may hold is known.
    assert mapped.label_space.known_raw_ids == CITYSCAPES.known_raw_ids
    assert set(mapped.label_space.ignored_raw_ids) == set(CITYSCAPES.ignored_raw_ids)


@pytest.mark.parametrize("class_uniform", [0.0, 0.5])
def test_a_share_of_an_epoch_is_of_the_other_data(
    camvid: Path, street_clips: Path, tmp_path: Path, class_uniform: float
) -> None:
    experiment = describe(
        camvid,
        also=str(MAPPING),
        also_root=street_clips,
        also_share=0.34,
        class_uniform=class_uniform,
    )
    check_experiment(experiment)
    data = build_datasets(experiment)
    assert data.also is not None
    assert data.further == (data.also,)
    centroids = [index_centroids(s, 32, cache=tmp_path) for s in (data.train, *data.further)]
    data.train.samples *= 10  # more images than classes
    sampler = build_sampler(experiment, data, centroids)
    draws = list(sampler)
    assert len(draws) == len(data.train) == 120
    assert Counter(draw.source for draw in draws) == {0: 80, 1: 40}
    around = Counter(draw.source for draw in draws if draw.point is not None)
    if class_uniform:
        assert around == {0: 33, 1: 11}  # 11 classes times floor(80 / 22) and floor(40 / 22)
    else:
        assert not around
    assert {draw.index for draw in draws if draw.source == 1} == {0, 1}


def test_its_files_are_in_the_inventory(camvid: Path, street_clips: Path) -> None:
    alone = build_datasets(describe(camvid))
    both = build_datasets(describe(camvid, also=str(MAPPING), also_root=street_clips))
    assert alone.also is None
    assert alone.further == ()
    counts = [Counter(e.source for e in list_entries(data)) for data in (alone, both)]
    assert counts == [{"train": 24, "val": 2}, {"train": 24, "val": 2, "also": 4}]


def test_what_cannot_join_is_refused(camvid: Path, street_clips: Path) -> None:
    other = describe(camvid, also="cityscapes", also_root=street_clips)
    with pytest.raises(UsageError, match=r"'cityscapes' has other classes \(road, .*\(sky, .*file"):
        build_datasets(other)
    little = describe(camvid, also=str(MAPPING), also_root=street_clips, also_share=0.08)
    with pytest.raises(UsageError, match=r"0\.08 of 12 images .*--data\.also-share"):
        build_datasets(little)
    for changed, said in (
        ({"also_root": street_clips}, "--data.also-root is of another"),
        ({"also_share": 0.5}, "--data.also-share is of another"),
        ({"also_split": "val"}, "--data.also-split is of another"),
        ({"also": "camvid"}, "--data.also-root DIR"),
        ({"also": "synthetic"}, "--data.also data that exist"),
        ({"also": "my.yaml", "also_share": 0.0}, "--data.also-share above 0"),
        ({"also": "my.yaml", "also_share": 1.0}, "--data.also-share above 0"),
    ):
        with pytest.raises(UsageError, match=said):
            check_experiment(describe(camvid, **changed))
