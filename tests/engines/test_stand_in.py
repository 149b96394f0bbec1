"""An engine that is no torch module runs wherever a network does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from hierseg.autolabel.labelling import autolabel
from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.engines.torch_engine import as_engine
from hierseg.errors import UsageError
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.label_files import LabelFile
from hierseg.evaluation.submission import write_submission
from hierseg.inference.predictor import Predictor
from hierseg.jobs.images import run_folder
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import CITYSCAPES
from hierseg.models.outputs import SegmentationOutput
from hierseg.options import RunOptions
from hierseg.size import Size

NAME = "berlin_000000_000019"


class RedEngine:
    """Takes red divided by ten for the class; numpy computes."""

    header = None
    num_classes = 19
    scales = (1.0,)
    device = torch.device("cpu")
    weighs_largest = align_corners = False

    def __init__(self, attends: bool = True) -> None:
        self.attends = attends
        self.calls: list[tuple[tuple[int, ...], tuple[float, ...] | None]] = []

    def fingerprint(self) -> str:
        return "0123456789abcdef"

    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        self.calls.append((tuple(images.shape), options.scales))
        classes = images[:, 0].numpy() // 10
        one_hot = classes[:, None] == np.arange(19)[None, :, None, None]
        return SegmentationOutput(torch.from_numpy(one_hot.astype(np.float32) * 9))


class Streets(SegmentationDataset):
    """One image of three columns, thrice."""

    def __init__(self, folder: Path, labels: npt.NDArray[np.uint8]) -> None:
        samples = [Sample(NAME.replace("19", f"2{n}"), folder / f"{n}.png") for n in range(3)]
        super().__init__("cityscapes", "val", CITYSCAPES, samples)
        self.truth = labels
        image = np.zeros((*labels.shape, 3), np.uint8)
        image[..., 0] = labels * 10
        for sample in samples:
            sample.image.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(sample.image), image[..., ::-1])

    def read(self, index: int) -> Record:
        image = cv2.imread(str(self.samples[index].image))
        assert image is not None
        return Record(np.ascontiguousarray(image[..., ::-1]), self.truth, str(index))


@pytest.fixture
def streets(tmp_path: Path) -> Streets:
    labels = np.repeat(np.array([0, 7, 13], np.uint8), 20)[None].repeat(48, 0)
    return Streets(tmp_path / "images", labels)


def test_it_predicts_a_folder(streets: Streets, tmp_path: Path) -> None:
    engine = RedEngine()
    out = tmp_path / "out"
    predictor = Predictor(engine, label_space=CITYSCAPES)
    images = [sample.image for sample in streets.samples]
    summary = run_folder(predictor, images, out, RunSettings(save=("labels",), batch=3))
    assert len(summary.records) == 3
    assert summary.settings["weights"] == engine.fingerprint()
    assert engine.calls[0][0] == (3, 3, 48, 60)
    for number in range(3):
        found = cv2.imread(str(out / f"{number}_labels.png"), cv2.IMREAD_UNCHANGED)
        assert found is not None
        assert (found == streets.truth).all()


@pytest.mark.parametrize("options", [RunOptions(batch=2), RunOptions(mode="slide", flip=True)])
def test_it_is_evaluated(streets: Streets, options: RunOptions) -> None:
    engine = RedEngine()
    result = evaluate(engine, streets, options=options)
    assert result.images == 3
    assert result.scores.miou == 1
    sizes = [shape for shape, _ in engine.calls]
    if options.mode == "whole":
        assert sizes[-2:] == [(2, 3, 48, 60), (1, 3, 48, 60)]
    else:
        assert set(sizes[-4:]) == {(1, 3, 48, 48)}
        assert result.mode == "windows of the shorter side overlapping by 0.25"


def test_it_labels_and_is_submitted(streets: Streets, tmp_path: Path) -> None:
    predictor = Predictor(RedEngine(), label_space=CITYSCAPES)
    out = tmp_path / "labels"
    assert autolabel(predictor, streets, out, root=tmp_path).images == 3
    maps = sorted(path for path in out.rglob("*.png") if not path.stem.endswith("_prob"))
    maps = [path for path in maps if path.parent != out]
    raw = CITYSCAPES.decode(streets.truth)
    for path in maps:
        assert (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == raw).all()
    files = [
        LabelFile(sample.name, path, Size(48, 60))
        for sample, path in zip(streets.samples, maps, strict=True)
    ]
    assert write_submission(tmp_path / "s.zip", streets, files) > 0


def test_scales_without_1_are_for_what_averages(streets: Streets) -> None:
    engine = RedEngine(attends=False)
    evaluate(engine, streets, scales=(1.5, 2, 2.5))
    assert engine.calls[-1][1] == (1.5, 2.0, 2.5)
    Predictor(engine, (1.5, 2.5), label_space=CITYSCAPES)
    with pytest.raises(UsageError, match=r"scales \(1\.5 2\) must include 1"):
        evaluate(RedEngine(), streets, scales=(1.5, 2))
    assert as_engine(engine) is engine
