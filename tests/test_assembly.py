from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hierseg import assembly as build
from hierseg.config import DataConfig, Experiment, LossConfig, ModelConfig, RuntimeConfig
from hierseg.data.augmentation.rand_augment import RandAugment
from hierseg.errors import UsageError, UserError
from hierseg.labels import CAMVID, CITYSCAPES
from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.region_mutual_information import RegionMutualInformation
from hierseg.size import Size

FINE = Experiment(
    model=ModelConfig(pretrained=False),
    data=DataConfig(root=Path("data"), batch=2),
    runtime=RuntimeConfig(out=Path("run"), device="cpu"),
)


def _change(part: str, **values: Any) -> Experiment:
    return dataclasses.replace(FINE, **{part: dataclasses.replace(getattr(FINE, part), **values)})


def test_what_can_be_is_not_refused() -> None:
    build.check_experiment(FINE)
    build.check_experiment(_change("runtime", precision="bf16"))
    build.check_experiment(_change("model", train_scales=(1.0, 2.0)))
    build.check_experiment(_change("data", color_jitter=0.0, flip=1.0, workers=0))
    build.check_experiment(_change("loss", main="rmi", auxiliary_rmi=True))
    build.check_experiment(
        _change("loss", main="image_weighted", weight_bound=0.0, weighting="inverse")
    )
    build.check_experiment(
        _change(
            "loss",
            main="boundary_relaxed",
            weight_bound=2.0,
            strict_border_classes=("5",),
            relax_until=0,
        )
    )


@pytest.mark.parametrize(
    ("part", "field", "value", "cure"),
    [
        ("data", "root", None, "--data.root DIR"),
        ("data", "scale_min", 0.0, "--data.scale-min"),
        ("data", "scale_min", 3.0, "--data.scale-min"),
        ("data", "flip", 1.5, "--data.flip"),
        ("data", "degrade", 1.5, "--data.degrade"),
        ("data", "color_jitter", 0.6, "--data.color-jitter"),
        ("data", "rand_augment", "2", "--data.rand-augment"),
        ("data", "enlarge", 0.0, "--data.enlarge"),
        ("data", "enlarge", 9.0, "--data.enlarge"),
        ("data", "long_edge", 31, "--data.long-edge 32"),
        ("data", "short_edge", 31, "--data.short-edge 32"),
        ("data", "val_short_edge", 31, "--data.val-short-edge 32"),
        ("data", "rand_augment", "2,31", "--data.rand-augment"),
        ("data", "batch", 0, "--data.batch"),
        ("data", "workers", -1, "--data.workers"),
        ("optim", "lr", 0.0, "--optim.lr"),
        ("optim", "trunk_lr_factor", -1.0, "--optim.trunk-lr-factor"),
        ("optim", "momentum", 1.0, "--optim.momentum"),
        ("optim", "weight_decay", -1e-4, "--optim.weight-decay"),
        ("optim", "epochs", 0, "--optim.epochs"),
        ("optim", "poly_exponent", -1.0, "--optim.poly-exponent"),
        ("optim", "warmup_steps", -1, "--optim.warmup-steps"),
        ("optim", "ema_decay", 1.0, "--optim.ema-decay"),
        ("loss", "auxiliary_weight", -0.4, "--loss.auxiliary-weight"),
        ("loss", "per_scale_weight", math.nan, "--loss.per-scale-weight"),
        ("loss", "weight_bound", -1.0, "--loss.weight-bound"),
        ("loss", "relax_until", -1, "--loss.relax-until"),
        ("loss", "sum_images", 0, "give 1 or more"),
        # Each says nothing to fine labels alone.
        ("data", "auto_threshold", 0.7, "--data.extra auto"),
        ("data", "boost_classes", ("rider",), "--data.extra auto"),
        ("data", "from_coarse", ("14",), "--data.extra auto"),
        ("data", "mask_outer", True, "--data.extra auto"),
        ("data", "coarse_rule", "coarse", "--data.extra auto"),
        # Each says nothing to cross-entropy.
        ("loss", "auxiliary_rmi", True, "--loss.main rmi"),
        ("loss", "weight_bound", 2.0, "--loss.main image_weighted or boundary_relaxed"),
        ("loss", "weighting", "inverse", "--loss.main image_weighted"),
        ("loss", "batch_weights", True, "--loss.main image_weighted"),
        ("loss", "strict_border_classes", ("5",), "--loss.main boundary_relaxed"),
        ("loss", "relax_until", 100, "--loss.main boundary_relaxed"),
        ("model", "train_scales", (0.5, 2.0), "--model.train-scales 0.5 1"),
        ("eval", "scales", (0.5,), "--eval.scales 0.5 1"),
        ("eval", "scales", (), "--eval.scales"),
        ("eval", "scales", (1.0, -0.5), "--eval.scales"),
        ("eval", "scales", (1.0, math.inf), "--eval.scales"),
        ("eval", "scales", (1.0, 1.0), "--eval.scales"),
        ("eval", "every", 0, "--eval.every"),
        ("runtime", "out", None, "--runtime.out DIR"),
        ("runtime", "precision", "fp16", "--runtime.precision bf16"),
        ("runtime", "device", "toaster", "--runtime.device"),
        ("runtime", "device", "meta", "--runtime.device"),
        ("runtime", "log_every", 0, "--runtime.log-every"),
    ],
)
def test_what_cannot_be_is_refused_with_its_cure(
    part: str, field: str, value: Any, cure: str
) -> None:
    with pytest.raises(UsageError) as caught:
        build.check_experiment(_change(part, **{field: value}))
    sentence = str(caught.value)
    assert cure in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert build.choose_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match=r"no usable GPU; give --device cpu"):
        build.choose_device("cuda", "--device")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert build.choose_device("auto") == torch.device("cuda")
    build.check_experiment(
        dataclasses.replace(FINE, runtime=RuntimeConfig(out=Path("run"), precision="fp16"))
    )


def test_the_network_is_the_one_that_is_asked_for() -> None:
    experiment = dataclasses.replace(
        _change("model", train_scales=(0.75, 1.0)),
        eval=dataclasses.replace(FINE.eval, scales=(1.0,)),
    )
    network = build.assemble_network(experiment, CAMVID)
    assert network.num_classes == 11
    assert network.train_scales == (0.75, 1.0)
    assert network.scales == (1.0,)
    # None leaves the network its own.
    assert build.assemble_network(FINE, CITYSCAPES).train_scales == (0.5, 1.0)


@pytest.mark.parametrize(
    ("crop", "batch", "cure"),
    [(Size(62, 200), 4, "--data.crop"), (Size(64, 64), 3, "--data.batch or --data.crop")],
)
def test_crops_that_are_too_small_are_refused(crop: Size, batch: int, cure: str) -> None:
    with pytest.raises(UsageError, match=f"at scale 0.5 .*{cure}"):
        build.assemble_network(_change("data", crop=crop, batch=batch), CITYSCAPES)
    build.assemble_network(_change("data", crop=Size(64, 64), batch=4), CITYSCAPES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cross_entropy", CrossEntropy),
        ("rmi", RegionMutualInformation),
        ("image_weighted", ImageWeightedCrossEntropy),
        ("boundary_relaxed", BoundaryRelaxedLoss),
    ],
)
def test_the_criterion_is_weighted_as_asked(name: Any, kind: type) -> None:
    experiment = dataclasses.replace(FINE, loss=LossConfig(name, 0.3, 0.05))
    criterion = build.build_criterion(experiment, CAMVID, align_corners=True)
    assert isinstance(criterion.main, kind)
    assert criterion.main.ignore == CAMVID.ignore
    assert (criterion.auxiliary_weight, criterion.per_scale_weight) == (0.3, 0.05)
    assert criterion.align_corners
    assert not criterion.auxiliary_by_main


def test_the_main_criterion_has_the_settings_of_its_flags() -> None:
    def build_main(**values: Any) -> Any:
        return build.build_criterion(_change("loss", **values), CAMVID).main

    weighted = build_main(main="image_weighted", weight_bound=3.0, weighting="inverse")
    assert (weighted.bound, weighted.weighting, weighted.by_batch) == (3.0, "inverse", False)
    assert build_main(main="image_weighted", batch_weights=True).by_batch
    relaxed = build_main(
        main="boundary_relaxed",
        weight_bound=2.0,
        strict_border_classes=("9", CAMVID.names[2]),
        relax_until=100,
    )
    assert (relaxed.bound, relaxed.strict, relaxed.relax_until) == (2.0, (9, 2), 100)
    assert build_main(main="boundary_relaxed").relax_until is None
    rmi = build.build_criterion(_change("loss", main="rmi", auxiliary_rmi=True), CAMVID)
    assert rmi.auxiliary_by_main


@pytest.mark.parametrize("word", ["11", "-1", "unicorn", ""])
def test_a_strict_class_that_is_not_there_is_refused(word: str) -> None:
    experiment = _change("loss", main="boundary_relaxed", strict_border_classes=("0", word))
    with pytest.raises(UsageError, match=f"no class '{word}'; give --loss.strict-border-classes"):
        build.build_criterion(experiment, CAMVID)


def test_the_splits_are_the_ones_that_are_asked_for(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 1)):
        for number in range(count):
            for folder, pixels in (
                (split, np.zeros((8, 9, 3))),
                (f"{split}annot", np.ones((8, 9))),
            ):
                (tmp_path / folder).mkdir(exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / f"{number}.png")
    experiment = _change("data", name="camvid", root=tmp_path, batch=3)
    data = build.build_datasets(experiment)
    assert (len(data.train), data.train.split) == (3, "train")
    assert (len(data.val), data.val.split) == (1, "val")
    both = build.build_datasets(
        _change("data", name="camvid", root=tmp_path, batch=4, train_split="train+val")
    )
    assert (len(both.train), both.train.split) == (4, "train+val")
    with pytest.raises(UserError, match=r"'val' .* 1 image, fewer than a batch.*--data\.batch 1"):
        build.build_datasets(_change("data", name="camvid", root=tmp_path, train_split="val"))


def test_two_ways_to_resize_exclude_each_other() -> None:
    build.check_experiment(_change("data", enlarge=2.0))
    with pytest.raises(UsageError, match=r"--data\.enlarge and --data\.long-edge"):
        build.check_experiment(_change("data", enlarge=2.0, long_edge=500))
    with pytest.raises(UsageError, match=r"--data\.long-edge and --data\.short-edge"):
        build.check_experiment(_change("data", short_edge=400, long_edge=500))
    # Validation may have a size of its own.
    build.check_experiment(_change("data", val_short_edge=400, long_edge=500))


def test_the_short_edge_is_of_training_and_validation_or_of_one() -> None:
    made_up = _change("data", name="synthetic", root=None, crop=Size(40, 60))
    build.check_experiment(made_up)

    def sizes(**values: Any) -> tuple[Any, Any]:
        data = dataclasses.replace(made_up.data, **values)
        experiment = dataclasses.replace(made_up, data=data)
        transform = build.build_transform(experiment, CAMVID)
        val = build.build_datasets(experiment).val
        return transform.short_edge, val.read(0).image.shape[:2]

    assert sizes() == (None, (40, 60))
    assert sizes(short_edge=80) == (80, (80, 120))
    assert sizes(val_short_edge=60) == (None, (60, 90))
    assert sizes(short_edge=80, val_short_edge=60) == (80, (60, 90))
    assert sizes(val_short_edge=60, val_crop=Size(60, 60)) == (None, (60, 60))
    assert sizes(long_edge=120, val_short_edge=60) == (None, (60, 90))


def test_made_up_data_have_neither_a_folder_nor_further_images() -> None:
    made_up = _change("data", name="synthetic", root=None)
    with pytest.raises(UsageError, match=r"--data\.root"):
        build.build_datasets(_change("data", name="synthetic"))
    more = dataclasses.replace(made_up.data, extra="auto", auto_root=Path("labels"))
    with pytest.raises(UsageError, match=r"--data\.extra none"):
        build.build_datasets(dataclasses.replace(made_up, data=more))


def test_the_augmentation_is_the_one_that_is_asked_for() -> None:
    experiment = _change(
        "data",
        crop=Size(40, 60),
        scale_min=0.6,
        scale_max=1.7,
        flip=0.1,
        color_jitter=0.2,
        blur="bilateral",
        rand_augment="2,9",
        degrade=0.4,
    )
    transform = build.build_transform(experiment, CAMVID)
    assert (transform.crop, transform.scale_min, transform.scale_max) == ((40, 60), 0.6, 1.7)
    assert (transform.flip, transform.color_jitter) == (0.1, 0.2)
    assert (transform.blur, transform.rand_augment) == ("bilateral", RandAugment(2, 9))
    assert (transform.ignore, transform.degrade) == (CAMVID.ignore, 0.4)
    assert build.build_transform(_change("data", full_crop=True), CAMVID).crop is None


def test_whole_images_are_not_held_to_the_crop() -> None:
    small = _change("data", crop=Size(8, 8), full_crop=True)
    assert build.assemble_network(small, CITYSCAPES).num_classes == 19
