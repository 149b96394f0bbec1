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
from hierseg.inference.tiling import Windows, blend
from hierseg.labels import LabelSpace
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


def test_options_stand_instead_of_arguments(network: Any, space: LabelSpace) -> None:
    options = RunOptions("mapillary", scales=(1.0,))
    predictor = Predictor(network, label_space=space, options=options)
    assert (predictor.scales, predictor.flip, predictor.long_edge) == ((1.0,), True, 2177)
    with pytest.raises(UsageError, match="either, not both"):
        Predictor(network, (1.0,), label_space=space, options=options)
