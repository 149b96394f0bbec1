"""How far windows change labels, on a part of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hierseg.checkpoint.load import load_model
from hierseg.engines.torch_engine import TorchEngine
from hierseg.inference.agreement import Agreement, measure_agreement
from hierseg.inference.segmenter import Segmenter
from hierseg.inference.tiling import Windows
from hierseg.options import RunOptions
from hierseg.size import Size


def _image(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "part"),
    [(Size(100, 200), Size(40, 84)), (Size(200, 48), Size(70, 48)), (Size(100, 60), Size(40, 60))],
)
def test_it_is_measured_on_what_two_windows_see(network: Any, size: Size, part: Size) -> None:
    segmenter = Segmenter(TorchEngine(network))
    found = measure_agreement(segmenter, _image(*size), Windows(Size(40, 48), 0.25))
    assert found == Agreement(part, 1.0)  # the network knows classes by their colour alone
    shapes = [shape for shape, _, _ in network.calls]
    assert shapes.count((1, 3, *part)) == 1
    assert set(shapes) == {(1, 3, *part), (1, 3, 40, 48)}
    assert found.describe() == f"on a part of {part}, 100.00 % of the labels are the whole's"


def test_it_is_the_share_of_labels_that_stay() -> None:
    segmenter = Segmenter(TorchEngine(load_model()), RunOptions(scales=(1.0,)))
    image, windows = _image(64, 200), Windows(Size(64, 64), 0.25)
    found = measure_agreement(segmenter, image, windows)
    middle = np.ascontiguousarray(image[:, 44:156])
    whole = segmenter.segment([middle])[0].labels
    by_windows = segmenter.segment([middle], windows=windows)[0].labels
    assert found.share == (whole == by_windows).mean()
    assert 0 < found.share < 1


def test_the_windows_that_come_after_it_count_for_a_trial(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(
        "hierseg.inference.agreement.expect_more", lambda _, runs: told.append(runs)
    )
    segmenter = Segmenter(TorchEngine(network))
    measure_agreement(segmenter, _image(100, 200), Windows(Size(40, 48), 0.25))
    assert told == [18, -18]  # three rows of six
    assert network.calls[0][0] == (1, 3, 40, 84)  # whole, before an engine for windows is made
