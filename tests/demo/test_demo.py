from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from hierseg.demo.demonstration import run_demo
from hierseg.demo.scenes import draw_scenes
from hierseg.errors import UserError
from hierseg.inference.prediction import Prediction
from hierseg.labels import CAMVID, CITYSCAPES
from hierseg.options import WHOLE
from hierseg.size import Size
from hierseg.streets import scene_seed, write_streets
from hierseg.streets.rendering import draw_street
from support.pages import read_cards

SIZE = Size(48, 96)


class Oracle:
    """Knows the scenes of a seed, and is wrong in a stripe if asked to be."""

    class Network(torch.nn.Linear):
        scales = (0.5, 1.0)

    def __init__(self, wrong: bool = False) -> None:
        self.network = self.Network(1, 1)
        self.scales = (0.5, 1.0)
        self.engine = SimpleNamespace(
            fingerprint=lambda: "0123456789abcdef",
            device=torch.device("cpu"),
            scales=(0.5, 1.0),
            num_classes=CITYSCAPES.num_classes,
        )
        self.windows, self.keep_scales, self.unknown = None, True, None
        self.segmenter = SimpleNamespace(
            windows=None, options=WHOLE, find_edge=self.find_edge, engine=self.engine,
            scales=self.scales, keep_scales=True, keep_probabilities=False, short_edge=None,
        )  # fmt: skip
        self.flip, self.options = False, WHOLE
        self.temperature, self.long_edge, self.longest = 1.0, None, None
        self.label_space = CITYSCAPES
        self.wrong = wrong
        self.known: dict[bytes, Any] = {}
        for index in range(2):
            pixels, raw = draw_street(scene_seed(7, index), SIZE)
            self.known[pixels.tobytes()] = CITYSCAPES.encode(raw)

    def find_edge(self, height: int, width: int) -> int:
        return max(height, width)

    def predict_batch(self, images: list[Any], long_edge: int | None = None) -> list[Prediction]:
        return [self(pixels) for pixels in images]

    def __call__(self, pixels: Any) -> Prediction:
        labels = self.known[pixels.tobytes()].copy()
        labels[labels == CITYSCAPES.ignore] = 0
        if self.wrong:
            labels[:5] = CITYSCAPES.names.index("train")
        heat = np.ones(labels.shape, np.float32)
        return Prediction(pixels, labels, heat, CITYSCAPES, {0.5: heat})


def test_the_demo_is_honest_about_what_is_right(tmp_path: Path) -> None:
    oracle: Any = Oracle()
    result = run_demo(oracle, tmp_path, 2, SIZE, seed=7, weights="oracle")
    assert result.page == tmp_path / "index.html"
    assert result.scores.miou == 1.0
    present = np.unique(np.concatenate([truth.ravel() for truth in oracle.known.values()]))
    assert result.scores.num_classes_averaged == len(set(present) - {CITYSCAPES.ignore})
    page = result.page.read_text()
    assert f"mIoU 1.000 over {result.scores.num_classes_averaged} classes" in page
    for name, card in zip(("street_00", "street_01"), read_cards(page), strict=True):
        for kind in ("truth", "errors", "image"):
            assert f"page/{name}_{kind}.jpg" in card.addresses
            assert (tmp_path / "page" / f"{name}_{kind}.jpg").is_file()
        assert f"{name}_attention_0.5_heat.jpg" in card.addresses
        assert (tmp_path / "scenes" / f"{name}.png").is_file()


def test_the_demo_is_honest_about_what_is_wrong_and_can_be_done_over(tmp_path: Path) -> None:
    right: Any = Oracle()
    run_demo(right, tmp_path, 2, SIZE, seed=7)
    wrong: Any = Oracle(wrong=True)
    result = run_demo(wrong, tmp_path, 2, SIZE, seed=7)
    assert result.scores.miou < 1
    counted = [truth != CITYSCAPES.ignore for truth in wrong.known.values()]
    train = CITYSCAPES.names.index("train")
    missed = [
        (truth != train)[:5] & (truth != CITYSCAPES.ignore)[:5] for truth in wrong.known.values()
    ]
    share = sum(part.sum() for part in missed) / sum(part.sum() for part in counted)
    assert result.scores.pixel_accuracy == pytest.approx(1 - share)
    errors = cv2.imread(str(tmp_path / "page" / "street_00_errors.jpg"))
    assert errors is not None
    blue, _, red = (errors[..., channel].astype(int) for channel in range(3))
    assert (red[:4] - blue[:4]).mean() > 100
    assert (red[8:] - blue[8:]).mean() < 10


def test_the_truth_is_the_scenes_labels(tmp_path: Path) -> None:
    scenes = list(draw_scenes(tmp_path, 2, SIZE, seed=7))
    for index, scene in enumerate(scenes):
        pixels, raw = draw_street(scene_seed(7, index), SIZE)
        assert np.array_equal(scene.truth, CITYSCAPES.encode(raw))
        stored = cv2.imread(str(scene.image))
        assert stored is not None
        assert np.array_equal(stored[..., ::-1], pixels)


def test_the_scenes_are_those_of_the_command_with_that_seed(tmp_path: Path) -> None:
    write_streets(tmp_path / "set", 2, SIZE, seed=7, workers=1)
    drawn = list(draw_scenes(tmp_path, 2, SIZE, seed=7))
    images = sorted(
        (tmp_path / "set").rglob("*_leftImg8bit.png"), key=lambda p: p.name.split("_")[1]
    )
    stored = [cv2.imread(str(path)) for path in images]
    expected = [cv2.imread(str(scene)) for scene in sorted((tmp_path / "scenes").iterdir())]
    assert len(drawn) == len(stored) == 2
    for left, right in zip(stored, expected, strict=True):
        assert left is not None
        assert np.array_equal(left, right)


def test_other_classes_than_the_scenes_are_refused(tmp_path: Path) -> None:
    oracle: Any = Oracle()
    oracle.label_space = CAMVID
    with pytest.raises(UserError, match="camvid"):
        run_demo(oracle, tmp_path, 1, SIZE)
