from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hierseg.data.base import Record
from hierseg.evaluation.counters import LossCounter
from hierseg.evaluation.evaluator import evaluate
from hierseg.inference.segmentation import Segmentation
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from hierseg.options import RunOptions

from .conftest import SPACE, MemoryDataset, ReadingNetwork

Maps = list[npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def lite() -> SegmentationNetwork:
    torch.manual_seed(1)
    return create_model("lite0-ocr-hier", SPACE.num_classes).eval()


def test_the_loss_is_a_mean_over_all_pixels_and_the_criterion_one_over_images(
    network: ReadingNetwork, maps: Maps
) -> None:
    """Of one-hot logits a right pixel costs -log(e / (e + 3)) and a wrong one a nat more."""
    counted = [int((labels != 255).sum()) for labels in maps]
    seen: list[tuple[int, ...]] = []

    def criterion(logits: Tensor, labels: Tensor) -> Tensor:
        seen.append((*logits.shape, *labels.shape))
        assert labels.dtype == torch.int64
        return (labels != 255).sum().float()

    result = evaluate(network, MemoryDataset(maps), criterion=criterion)  # type: ignore[arg-type]
    right = -math.log(math.e / (math.e + 3))
    assert result.loss == pytest.approx(right, rel=1e-6)
    assert result.criterion == pytest.approx(sum(counted) / 3)
    assert seen[0] == (1, 4, 40, 50, 1, 40, 50)
    content = json.loads(json.dumps(result.to_json()))
    assert (content["loss"], content["criterion"]) == (result.loss, result.criterion)

    class Wrong(ReadingNetwork):
        def forward(self, image, scales=None, keep_scales=False):  # type: ignore[no-untyped-def]
            if image.shape[-1] == 64:  # the third image is taken for the class beside its own
                image = (image.int() + 40).clamp(max=120).to(image.dtype)
            return super().forward(image, scales, keep_scales)

    wrong = evaluate(Wrong(), MemoryDataset(maps))  # type: ignore[arg-type]
    assert wrong.loss == pytest.approx(right + counted[2] / sum(counted), rel=1e-6)
    assert wrong.criterion is None
    assert "criterion" not in wrong.to_json()


def test_neither_order_nor_shares_show_in_the_last_digit() -> None:
    random = np.random.default_rng(0)
    labels = [random.integers(0, 4, (33, 40)).astype(np.uint8) for _ in range(9)]
    logits = [torch.from_numpy(random.normal(size=(4, 33, 40)) * 10**k) for k in range(-4, 5)]
    dataset = MemoryDataset(labels)

    def measure(order: list[int]) -> float | None:
        counter = LossCounter(dataset, 9)
        for index in order:
            counter.look_at_logits(index, dataset.read(index), logits[index])
        return counter.finish()[0]

    assert (
        measure([*range(9)]) == measure([*range(8, -1, -1)]) == measure([4, 0, 8, 2, 6, 1, 3, 7, 5])
    )


def test_a_loss_that_is_no_number_is_none() -> None:
    dataset = MemoryDataset([np.zeros((32, 32), np.uint8)])
    counter = LossCounter(dataset, 1, lambda _logits, _labels: torch.tensor(math.inf))
    counter.look_at_logits(0, dataset.read(0), torch.full((4, 32, 32), math.nan))
    assert counter.finish() == (None, None)


def test_a_criterion_without_memory_ends_no_evaluation(network: ReadingNetwork, maps: Maps) -> None:
    def fail(_logits: Tensor, _labels: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    result = evaluate(network, MemoryDataset(maps), criterion=fail)  # type: ignore[arg-type]
    assert result.criterion is None
    assert result.loss is not None


def test_each_scale_alone_scores_what_its_own_run_would(
    lite: SegmentationNetwork, maps: Maps
) -> None:
    dataset = MemoryDataset(maps)
    result = evaluate(lite, dataset, scales=(0.5, 1.0), per_scale=True)
    assert list(result.per_scale) == [0.5, 1.0]
    # As text: NaN, that of a class that does not occur, is not equal to itself.
    assert str(result.per_scale[1.0]) == str(evaluate(lite, dataset, scales=(1.0,)).scores)
    assert str(result.scores) == str(evaluate(lite, dataset, scales=(0.5, 1.0)).scores)
    half = np.zeros((4, 4), np.int64)
    for index, labels in enumerate(maps):
        image = torch.from_numpy(dataset.read(index).image).permute(2, 0, 1)[None]
        with torch.no_grad():
            logits = lite(image, scales=(0.5, 1.0), keep_scales=True).per_scale[0.5]
        full = functional.interpolate(logits, labels.shape, mode="bilinear", align_corners=False)
        found = full[0].argmax(0).numpy()
        np.add.at(half, (labels[labels != 255], found[labels != 255]), 1)
    iou = half[2, 2] / (half[2].sum() + half[:, 2].sum() - half[2, 2])
    assert result.per_scale[0.5].iou["clubs"] == pytest.approx(iou, abs=2e-3)
    content = result.to_json()["per_scale"]
    assert content["0.5"]["miou"] == result.per_scale[0.5].miou
    assert set(content) == {"0.5", "1"}


def test_averaging_a_hierarchical_network_takes_any_scales(
    lite: SegmentationNetwork, maps: Maps
) -> None:
    dataset = MemoryDataset(maps[:1])
    options = RunOptions(scales=(0.5, 0.75), fusion="average")
    result = evaluate(lite, dataset, options=options)
    image = torch.from_numpy(dataset.read(0).image).permute(2, 0, 1)[None]
    with torch.no_grad():
        alone = lite(image, scales=(0.5, 0.75, 1.0), keep_scales=True).per_scale
    size = maps[0].shape
    both = [functional.interpolate(alone[s], size, mode="bilinear") for s in (0.5, 0.75)]
    wanted = torch.stack(both).mean(0)[0].argmax(0).numpy()
    right = sum(result.confusion[k][k] for k in range(4))
    assert right == int((wanted == maps[0]).sum())
    assert result.fusion == result.to_json()["fusion"] == "average"


class _Keeping:
    """Wants the second image, and can do without."""

    def __init__(self, can_miss: bool) -> None:
        self.can_miss = can_miss
        self.seen: list[int] = []

    def wants(self, index: int) -> bool:
        return index == 1

    def look(self, index: int, record: Record, labels: npt.NDArray[np.uint8]) -> None: ...

    def look_at_details(self, index: int, record: Record, details: Segmentation) -> None:
        assert details.attention is not None
        assert details.labels.shape == record.image.shape[:2]
        self.seen.append(index)


def test_what_can_do_without_goes_without_where_there_is_no_memory(
    lite: SegmentationNetwork, maps: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = MemoryDataset(maps)
    plain = evaluate(lite, dataset)
    keeping = _Keeping(can_miss=True)
    assert str(evaluate(lite, dataset, watchers=[keeping])) == str(plain)
    assert keeping.seen == [1]
    own = type(lite).forward

    def forward(self, image, scales=None, keep_scales=False):  # type: ignore[no-untyped-def]
        if keep_scales:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(self, image, scales, keep_scales)

    monkeypatch.setattr(type(lite), "forward", forward)
    without = _Keeping(can_miss=True)
    assert str(evaluate(lite, dataset, watchers=[without])) == str(plain)
    assert without.seen == []
    with pytest.raises(Exception, match="not enough memory to run '1'"):
        evaluate(lite, dataset, watchers=[_Keeping(can_miss=False)])
