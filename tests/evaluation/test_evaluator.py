from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hierseg.checkpoint.format import Header
from hierseg.errors import UserError
from hierseg.evaluation.evaluator import evaluate
from hierseg.inference.footprint import Footprint
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model

from .conftest import SPACE, MemoryDataset, ReadingNetwork

Maps = list[npt.NDArray[np.uint8]]


def test_a_perfect_prediction_scores_one(network: ReadingNetwork, maps: Maps) -> None:
    result = evaluate(network, MemoryDataset(maps))  # type: ignore[arg-type]
    assert result.scores.miou == 1.0
    assert result.scores.pixel_accuracy == 1.0
    assert result.scores.num_classes_averaged == 3  # of four: no jokers
    assert math.isnan(result.scores.iou["jokers"])
    counted = sum(int((labels != 255).sum()) for labels in maps)
    assert sum(map(sum, result.confusion)) == counted
    assert result.images == 3


def test_images_are_run_whole_in_evaluation_mode(network: ReadingNetwork, maps: Maps) -> None:
    network.train()
    result = evaluate(network, MemoryDataset(maps), scales=(1.0,))  # type: ignore[arg-type]
    assert network.calls == [
        ((1, 3, 40, 50), (1.0,), False),
        ((1, 3, 33, 70), (1.0,), False),
        ((1, 3, 64, 64), (1.0,), False),
    ]
    assert network.training
    assert result.scales == (1.0,)
    evaluate(network.eval(), MemoryDataset(maps))  # type: ignore[arg-type]
    assert network.calls[-1][1] == network.scales
    assert not network.training


@pytest.mark.parametrize("flip", [False, True])
def test_against_a_loop_over_pixels(maps: Maps, flip: bool) -> None:
    torch.manual_seed(1)
    network = create_model("lite0-ocr-hier", SPACE.num_classes).eval()
    dataset = MemoryDataset(maps)
    result = evaluate(network, dataset, scales=(0.5, 1.0), flip=flip)

    counts = np.zeros((4, 4), int)
    for index, labels in enumerate(maps):
        image = torch.from_numpy(dataset.read(index).image).permute(2, 0, 1)[None]
        with torch.no_grad():
            logits = network(image, scales=(0.5, 1.0)).logits[0]
            if flip:
                logits = logits + network(image.flip(3), scales=(0.5, 1.0)).logits[0].flip(2)
        predicted = logits.argmax(0)
        for row in range(labels.shape[0]):
            for column in range(labels.shape[1]):
                if labels[row, column] != 255:
                    counts[labels[row, column], predicted[row, column]] += 1
    assert (np.array(result.confusion) == counts).all()
    ious = [
        counts[k, k] / (counts[k].sum() + counts[:, k].sum() - counts[k, k])
        for k in range(4)
        if counts[k].sum() + counts[:, k].sum()
    ]
    assert result.scores.miou == pytest.approx(np.mean(ious), abs=1e-12)
    assert result.scores.num_classes_averaged == len(ious)
    assert result.flip is flip


def test_a_limit_and_progress(network: ReadingNetwork, maps: Maps) -> None:
    seen: list[tuple[int, int]] = []
    result = evaluate(
        network,  # type: ignore[arg-type]
        MemoryDataset(maps),
        limit=2,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]
    assert result.images == 2
    assert evaluate(network, MemoryDataset(maps), limit=9).images == 3  # type: ignore[arg-type]


def test_other_classes_are_refused(network: ReadingNetwork, maps: Maps) -> None:
    network.num_classes = 5
    with pytest.raises(UserError, match="has 5 classes and memory has 4"):
        evaluate(network, MemoryDataset(maps))  # type: ignore[arg-type]
    network.num_classes = 4
    renamed = dataclasses.replace(SPACE, name="tarot", names=("a", "b", "c", "d"))
    header = Header(1, "timm_ocr", {}, renamed, (1.0,), False, {}, {})
    network.header = header
    with pytest.raises(UserError, match="'tarot' and memory has those of 'cards'"):
        evaluate(network, MemoryDataset(maps))  # type: ignore[arg-type]
    network.header = dataclasses.replace(header, label_space=SPACE)
    evaluate(network, MemoryDataset(maps))  # type: ignore[arg-type]


def test_splits_that_cannot_be_scored_are_refused(network: ReadingNetwork) -> None:
    with pytest.raises(UserError, match="no images"):
        evaluate(network, MemoryDataset([]))  # type: ignore[arg-type]
    network.train()
    with pytest.raises(UserError, match="'0' has no labels"):
        evaluate(network, MemoryDataset([None]))  # type: ignore[arg-type]
    assert network.training  # as it was, in failure too


def test_an_image_that_cannot_be_read_is_said_so(network: ReadingNetwork, maps: Maps) -> None:
    class Damaged(MemoryDataset):
        def read(self, index: int) -> Any:
            if index == 2:
                raise UserError("2.png is damaged.")
            return super().read(index)

    with pytest.raises(UserError, match=r"2\.png is damaged"):
        evaluate(network, Damaged(maps))  # type: ignore[arg-type]


def test_json_has_fractions_and_null(network: ReadingNetwork, maps: Maps) -> None:
    result = evaluate(network, MemoryDataset(maps), flip=False)  # type: ignore[arg-type]
    content = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert content["miou"] == 1.0
    assert content["num_classes_averaged"] == 3
    assert content["pixel_accuracy"] == 1.0
    assert content["per_class"] == {"spades": 1.0, "hearts": 1.0, "clubs": 1.0, "jokers": None}
    assert content["recall"]["jokers"] is None
    assert len(content["confusion"]) == 4
    assert (content["data"], content["split"], content["images"]) == ("memory", "val", 3)
    assert (content["scales"], content["flip"]) == ([0.5, 1.0], False)


def test_nothing_counted_is_null_not_nan(network: ReadingNetwork) -> None:
    ignored = np.full((40, 40), 255, np.uint8)
    content = evaluate(network, MemoryDataset([ignored])).to_json()  # type: ignore[arg-type]
    assert content["miou"] is None
    json.dumps(content, allow_nan=False)


def test_the_stand_in_is_like_the_real_network() -> None:
    real = create_model("lite0-ocr-hier", CITYSCAPES.num_classes)
    for name in ("scales", "num_classes", "header", "training"):
        assert hasattr(real, name)
    assert SimpleNamespace(header=real.header).header is None


def test_an_image_beyond_the_memory_is_named_before_the_kernel_ends_it(
    maps: Maps, network: ReadingNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = MemoryDataset(maps)  # type: ignore[arg-type]
    monkeypatch.setattr(Footprint, "per_pixel", lambda *_: 1e6)
    monkeypatch.setattr("hierseg.engines.memory.read_free_memory", lambda _: 1e8)
    network.eval()
    with pytest.raises(UserError, match=r"run '0' \(40x50 pixels need about .* --mode slide"):
        evaluate(network, dataset)  # type: ignore[arg-type]
    assert network.calls == []
    network.train()  # in training the memory is the optimiser's, and a validation is not refused
    assert evaluate(network, dataset).images == 3  # type: ignore[arg-type]
