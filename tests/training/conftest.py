"""Six training images and two for validation, of three classes that colour alone tells apart."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg.config import (
    DataConfig,
    EvalConfig,
    Experiment,
    ModelConfig,
    OptimConfig,
    RuntimeConfig,
)
from hierseg.size import Size

COLORS = np.array([(200, 40, 40), (40, 180, 60), (30, 60, 210)], np.uint8)


def _write_image(root: Path, split: str, number: int) -> None:
    random = np.random.default_rng([number, split == "val"])
    labels = np.zeros((96, 128), np.uint8)
    for label in (1, 2):
        top, left = random.integers(0, 56), random.integers(0, 76)
        labels[top : top + 40, left : left + 52] = label
    image = COLORS[labels] + random.integers(0, 30, (96, 128, 3)).astype(np.uint8)
    labels[:2] = 255
    for kind, content in (("images", image[..., ::-1]), ("labels", labels)):
        folder = root / kind / split
        folder.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / f"{number}.png"), content)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``folder`` data set."""
    root = tmp_path_factory.mktemp("tiny_data")
    (root / "labels.json").write_text(json.dumps({"names": ["red", "green", "blue"]}))
    for number in range(6):
        _write_image(root, "train", number)
    for number in range(2):
        _write_image(root, "val", number)
    return root


@pytest.fixture
def tiny(tiny_data: Path, tmp_path: Path) -> Experiment:
    """See ``make_tiny``."""
    return make_tiny(tiny_data, tmp_path)


def make_tiny(root: Path, folder: Path) -> Experiment:
    """Three steps an epoch, on crops of 96x96, in the smallest network that is there."""
    return Experiment(
        recipe="custom",
        model=ModelConfig(name="lite0-ocr-hier", pretrained=False),
        data=DataConfig(
            name="folder",
            root=root,
            class_uniform=0.0,
            crop=Size(96, 96),
            scale_min=0.8,
            scale_max=1.25,
            color_jitter=0.0,
            batch=2,
            workers=0,
        ),
        optim=OptimConfig(
            optimizer="adamw", lr=5e-3, epochs=2, poly_exponent=1.0, schedule_unit="step"
        ),
        eval=EvalConfig(scales=(0.5, 1.0)),
        runtime=RuntimeConfig(out=folder / "run", device="cpu", seed=3, log_every=1),
    )


def change(experiment: Experiment, part: str, **values: object) -> Experiment:
    """The experiment with fields of one part replaced."""
    changed = dataclasses.replace(getattr(experiment, part), **values)
    return dataclasses.replace(experiment, **{part: changed})
