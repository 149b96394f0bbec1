from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import hierseg
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.evaluator import evaluate
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions
from hierseg.size import Size

from .conftest import SPACE, MemoryDataset

Maps = list[npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def real() -> SegmentationNetwork:
    """An untrained network for the cards, whose norms know noise, so that it tells pixels apart."""
    torch.manual_seed(1)
    network = hierseg.create_model("lite0-ocr-hier", SPACE.num_classes)
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(2, 3, 64, 64))
    return network.eval()


def test_weights_a_network_and_a_predictor_are_measured_alike(
    real: SegmentationNetwork, maps: Maps, tmp_path: Path
) -> None:
    dataset = MemoryDataset(maps)
    path = tmp_path / "cards.safetensors"
    hierseg.save_checkpoint(path, real, SPACE)
    seen: list[tuple[int, int]] = []
    found = hierseg.evaluate(
        real, dataset, scales=[0.5, 1], flip=True, on_progress=lambda *done: seen.append(done)
    )
    below = evaluate(real, dataset, scales=(0.5, 1.0), flip=True)
    assert found.to_json() == below.to_json()
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for weights in (path, str(path)):
        again = hierseg.evaluate(weights, dataset, scales=(0.5, 1.0), flip=True)
        assert again.to_json() == found.to_json()
    predictor = hierseg.Predictor(real, scales=(0.5, 1.0), flip=True, label_space=SPACE)
    assert hierseg.evaluate(predictor, dataset).to_json() == found.to_json()
    plain = hierseg.evaluate(predictor, dataset, scales=(1.0,), flip=False)  # these go before it
    assert (plain.scales, plain.flip) == ((1.0,), False)


def test_windows_a_long_edge_and_a_limit_are_heeded(real: SegmentationNetwork, maps: Maps) -> None:
    dataset = MemoryDataset(maps)
    found = hierseg.evaluate(
        real, dataset, scales=(1.0,), mode="slide", window=(32, 32), overlap=0.5, limit=2
    )
    options = RunOptions(scales=(1.0,), mode="slide", window=Size(32, 32), overlap=0.5)
    below = evaluate(real, dataset, options=options, limit=2)
    assert found.to_json() == below.to_json()
    assert found.images == 2
    enlarging = hierseg.Predictor(real, scales=(1.0,), label_space=SPACE, long_edge=96)
    by_predictor = hierseg.evaluate(enlarging, dataset)
    larger = hierseg.evaluate(real, dataset, scales=(1.0,), long_edge=96)
    assert by_predictor.to_json() == larger.to_json()
    assert by_predictor.confusion != hierseg.evaluate(real, dataset, scales=(1.0,)).confusion
    by_shorter = RunOptions(scales=(1.0,), short_edge=48)
    shorter = hierseg.evaluate(
        hierseg.Predictor(real, label_space=SPACE, options=by_shorter), dataset
    )
    assert shorter.confusion == evaluate(real, dataset, options=by_shorter).confusion
    assert shorter.confusion != hierseg.evaluate(real, dataset, scales=(1.0,)).confusion


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": 0}, "a limit of 0"),
        ({"long_edge": 5}, "--long-edge 5: "),
        ({"window": (64, 64)}, "--window is for --mode slide"),
        ({"scales": (0.0, 1.0)}, "scales must be positive"),
    ],
)
def test_options_that_cannot_be_are_refused_by_their_names(
    real: SegmentationNetwork, maps: Maps, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        hierseg.evaluate(real, MemoryDataset(maps), **options)


def test_what_is_no_network_or_no_data_set_is_said_so(
    real: SegmentationNetwork, maps: Maps
) -> None:
    dataset: Any = "camvid"
    with pytest.raises(UserError, match=r"'camvid' is not a data set; give hierseg\.open_dataset"):
        hierseg.evaluate(real, dataset)
    weights: Any = None
    with pytest.raises(UserError, match="None is neither weights nor a network"):
        hierseg.evaluate(weights, MemoryDataset(maps))
    with pytest.raises(UserError, match="streetlite"):
        hierseg.evaluate("streetlit", MemoryDataset(maps))


def test_a_network_that_gives_no_numbers_is_not_measured(maps: Maps) -> None:
    network = hierseg.create_model("lite0-ocr-hier", SPACE.num_classes).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(UserError, match="outputs for '0' are NaN or infinite"):
        hierseg.evaluate(network, MemoryDataset(maps))
