"""The one way from images to labels: windows, long edges and batches of one engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hierseg.engines.torch_engine import TorchEngine
from hierseg.errors import UsageError
from hierseg.inference.predictor import Predictor
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.tiling import Mosaic, Windows, blend
from hierseg.labels import LabelSpace
from hierseg.layers import TensorMap
from hierseg.models.registry import create_model
from hierseg.options import RunOptions
from hierseg.size import Size


def _image(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)


def test_windows_are_blended_with_all_that_is_kept() -> None:
    torch.manual_seed(0)
    engine = TorchEngine(create_model("lite0-ocr-hier", 4))
    image, size = _image(48, 80), Size(48, 80)
    options = RunOptions(scales=(0.5, 1.0), mode="slide", window=Size(40, 48), overlap=0.5)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]

    def run(tile: Any) -> torch.Tensor:
        return engine.run(tile.cut(tensor), RunOptions(scales=(0.5, 1.0))).logits

    expected = blend(size, Windows(Size(40, 48), 0.5).tiles(size), run)
    assert Segmenter(engine, options).run([image]).logits.equal(expected)
    kept = Segmenter(engine, options, keep_scales=True)
    assert kept.run([image]).logits.equal(expected)
    found = kept.segment([image])[0]
    assert (found.labels == expected[0].argmax(0).numpy()).all()
    assert found.per_scale is not None
    assert found.attention is not None
    assert (found.per_scale.keys(), found.attention.keys()) == ({0.5, 1.0}, {0.5})
    assert {values.shape for values in found.per_scale.values()} == {(48, 80)}
    assert kept.whole().windows is None
    assert not kept.whole().run([image]).logits.equal(expected)


def test_logits_are_of_the_size_that_is_asked_for(network: Any) -> None:
    segmenter = Segmenter(TorchEngine(network), RunOptions(long_edge=64))
    images = [_image(40, 60), _image(40, 60)]
    assert segmenter.logits(images, (40, 60)).shape == (2, 3, 40, 60)
    assert network.calls[-1][0] == (2, 3, 42, 64)


@pytest.mark.parametrize(
    ("size", "at"),
    [
        ((40, 61), (33, 50)),
        ((61, 40), (50, 33)),
        ((54, 97), (33, 59)),  # whose long edge of 59 would make it 32x59
        ((33, 90), (33, 90)),
    ],
)
def test_the_short_edge_has_its_length(
    network: Any, size: tuple[int, int], at: tuple[int, int]
) -> None:
    height, width = size
    segmenter = Segmenter(TorchEngine(network), RunOptions(scales=(1.0,), short_edge=33))
    assert segmenter.stack([_image(height, width)]).shape[-2:] == at
    assert segmenter.find_edge(height, width) == max(at)
    assert segmenter.segment([_image(height, width)])[0].labels.shape == size
    assert segmenter.whole().short_edge == 33


def test_options_stand_instead_of_arguments(network: Any, space: LabelSpace) -> None:
    options = RunOptions("mapillary", scales=(1.0,))
    predictor = Predictor(network, label_space=space, options=options)
    assert (predictor.scales, predictor.flip, predictor.long_edge) == ((1.0,), True, 2177)
    with pytest.raises(UsageError, match="give these in options alone"):
        Predictor(network, (1.0,), label_space=space, options=options)


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(scales=(0.5, 1.0, 2.0), flip=True),
        RunOptions(scales=(0.5, 1.0, 2.0), long_edge=70),
        RunOptions(scales=(0.5, 1.0), long_edge=130, mode="slide", window=Size(40, 48)),
    ],
)
def test_rows_at_a_time_give_what_the_whole_gives(
    options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    engine = TorchEngine(create_model("lite0-ocr-hier", 4))
    images = [_image(60, 90), _image(60, 90)[::-1].copy()]
    segmenter = Segmenter(engine, options, temperature=1.5, keep_scales=True)
    whole = segmenter.segment(images)
    monkeypatch.setattr("hierseg.inference.deciding.BAND_BYTES", 1)
    monkeypatch.setattr("hierseg.inference.deciding.FEWEST_ROWS", 7)
    for one, other in zip(whole, segmenter.segment(images), strict=True):
        assert (one.labels == other.labels).mean() > 0.999  # but for ties
        assert np.abs(one.confidence - other.confidence).max() < 1e-5
        assert other.attention is not None
        assert other.per_scale is not None
        for scale, weight in (one.attention or {}).items():
            assert np.abs(weight - other.attention[scale]).max() < 1e-5
        for scale, labels in (one.per_scale or {}).items():
            assert (labels == other.per_scale[scale]).mean() > 0.999


def test_no_map_of_all_classes_is_as_large_as_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    engine = TorchEngine(create_model("lite0-ocr-hier", 19))
    monkeypatch.setattr("hierseg.inference.deciding.BAND_BYTES", 1)
    largest = [0]
    resize = torch.nn.functional.interpolate

    def watch(values: torch.Tensor, *args: Any, **named: Any) -> torch.Tensor:
        resized: torch.Tensor = resize(values, *args, **named)
        if values.shape[1] == 19:
            largest[0] = max(largest[0], resized.numel())
        return resized

    monkeypatch.setattr("torch.nn.functional.interpolate", watch)
    Segmenter(engine, RunOptions(scales=(0.5, 1.0, 2.0))).segment([_image(200, 300)])
    assert 0 < largest[0] < 19 * 200 * 300 / 4


def test_windows_are_let_go_of_as_they_are_passed(network: Any) -> None:
    segmenter = Segmenter(TorchEngine(network))
    size, there = Size(96, 64), set()
    tiles = Windows(Size(32, 32), 0.25).tiles(size)
    mosaic = Mosaic(size, tiles, lambda tile: {0: TensorMap(torch.ones(1, 1, 32, 32))})
    for top in range(0, 96, 8):
        assert mosaic.rows(0, top, top + 8).equal(torch.ones(1, 1, 8, 64))
        there = set(mosaic._there)
        assert all(tile.top + 32 > top for tile in there)
        assert len(there) <= 6  # of two rows of three
    found = segmenter.segment([_image(96, 64)], windows=Windows(Size(32, 32), 0.25))[0]
    assert {shape for shape, _, _ in network.calls} == {(1, 3, 32, 32)}
    assert len(network.calls) == len(tiles)
    assert found.labels.shape == (96, 64)


def test_whoever_asks_is_told_of_scales_and_of_windows() -> None:
    torch.manual_seed(0)
    engine = TorchEngine(create_model("lite0-ocr-hier", 4))
    told: list[tuple[str, int, int]] = []
    whole = Segmenter(engine, RunOptions(scales=(0.5, 1.0)))
    plain = whole.segment([_image(48, 80)])[0]
    whole.on_part = lambda *part: told.append(part)
    assert (whole.segment([_image(48, 80)])[0].labels == plain.labels).all()
    assert told == [("scale", 1, 2), ("scale", 2, 2)]
    told.clear()
    whole.segment([_image(48, 80)], None, Windows(Size(48, 40), 0.0))
    assert told == [("window", 1, 2), ("window", 2, 2)]
    told.clear()
    whole.segment([_image(48, 80)])
    assert told == [("scale", 1, 2), ("scale", 2, 2)]
