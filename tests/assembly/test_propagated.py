"""Propagated frames as an extra source of training."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hierseg.assembly import build_datasets, check_experiment
from hierseg.config import DataConfig, Experiment
from hierseg.data import index_centroids, open_propagated
from hierseg.errors import UsageError, UserError
from hierseg.flow import DisFlow
from hierseg.propagation import CityscapesSequence, Rules, propagate
from hierseg.recipes import get_recipe
from hierseg.size import Size
from hierseg.training.loading import build_sampler


@pytest.fixture(scope="module")
def root(street_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips to train on and one to validate on, and what is propagated from the former."""
    out = tmp_path_factory.mktemp("propagated") / "streets"
    shutil.copytree(street_clips, out)
    source = CityscapesSequence(out, "train")
    propagate(source, out / "propagated", DisFlow(), Rules(2), samples=0)
    return out


def describe(root: Path, **changed: Any) -> Experiment:
    data = DataConfig(root=root, batch=2, crop=Size(64, 128), class_uniform_tile=64, **changed)
    return Experiment(data=data)


def test_frames_of_one_step_join_beside_the_real_ones(root: Path) -> None:
    for step, names in ((None, ("000001", "000003")), (2, ("000000", "000004"))):
        (extra,) = build_datasets(describe(root, extra="propagated", extra_step=step)).extra
        assert {sample.name[-6:] for sample in extra.samples} == set(names)
        assert len(extra) == 4
    with pytest.raises(UsageError, match=r"no frames 3 .*--data\.extra-step"):
        build_datasets(describe(root, extra="propagated", extra_step=3))


def test_they_give_crops_around_classes_and_no_whole_images(root: Path) -> None:
    experiment = describe(root, extra="propagated")
    data = build_datasets(experiment)
    tile = experiment.data.class_uniform_tile
    centroids = [
        index_centroids(source, tile, cache=root / "cache") for source in (data.train, *data.extra)
    ]
    data.train.samples *= 40  # more images than classes
    sampler = build_sampler(experiment, data, centroids)
    assert len(sampler) == 80
    drawn = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        drawn += list(sampler)
    joined = [draw for draw in drawn if draw.source == 1]
    assert joined
    assert all(draw.point is not None for draw in joined)
    assert any(draw.source == 0 and draw.point is None for draw in drawn)
    assert {draw.index for draw in joined} <= set(range(4))


def test_held_out_cities_lend_nothing(root: Path) -> None:
    data = build_datasets(describe(root, extra="propagated"))
    trained = {sample.name[:-7] for sample in data.train.samples}
    assert {sample.name[:-7].split("/")[1] for sample in data.extra[0].samples} == trained
    held = data.train.samples.pop()
    rest = open_propagated(root / "propagated", data.train, 1)
    assert not any(held.name[:-7] in sample.name for sample in rest.samples)
    assert len(rest) == 2


def test_recipes_take_them_where_they_are(root: Path, tmp_path: Path) -> None:
    recipe = get_recipe("vplr-cityscapes-wrn38")
    assert recipe.data.propagated_if_found
    small = {"root": root, "cv": 0, "batch": 2, "crop": Size(64, 128), "extra": "propagated"}
    found = dataclasses.replace(
        recipe, data=dataclasses.replace(recipe.data, boost_classes=None, **small)
    )
    assert len(build_datasets(found).extra) == 1
    elsewhere = dataclasses.replace(found.data, propagated_root=tmp_path / "none")
    assert build_datasets(dataclasses.replace(found, data=elsewhere)).extra == ()
    asked = dataclasses.replace(elsewhere, propagated_if_found=False)
    with pytest.raises(UserError, match=r"no propagated frames.*--data\.propagated-root"):
        build_datasets(dataclasses.replace(found, data=asked))


def test_chosen_classes_alone_can_be_lent(root: Path) -> None:
    experiment = describe(root, extra="propagated", boost_classes=("rider", "3"))
    (extra,) = build_datasets(experiment).extra
    assert extra.boosted_classes == {12, 3}
    (every,) = build_datasets(describe(root, extra="propagated")).extra
    assert every.boosted_classes is None
    assert np.unique(every.read(0).labels).size > 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"extra_step": 2}, "--data.extra-step is for propagated frames"),
        ({"extra": "propagated", "extra_step": 0}, "--data.extra-step 0 is no frame"),
        ({"propagated_root": Path("x")}, "--data.propagated-root is for propagated"),
        ({"extra": "propagated", "class_uniform": 0.0}, "crops around classes alone"),
    ],
)
def test_settings_that_say_nothing_are_refused(
    root: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    experiment = describe(root, **changed)
    runtime = dataclasses.replace(experiment.runtime, out=tmp_path, device="cpu")
    with pytest.raises(UsageError, match=said):
        check_experiment(dataclasses.replace(experiment, runtime=runtime))
