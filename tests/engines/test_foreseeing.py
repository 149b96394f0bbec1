from __future__ import annotations

from typing import Any

import pytest
import torch

from hierseg.engines.auto_engine import AutoEngine
from hierseg.engines.cache import EngineCache, make_key
from hierseg.engines.foreseeing import foresee, measure_rate
from hierseg.engines.opening import open_engine
from hierseg.engines.torch_engine import TorchEngine
from hierseg.engines.trial import Attempt, Trial
from hierseg.errors import UserError
from hierseg.models import create_model
from hierseg.options import RunOptions
from hierseg.size import Size

SIZE = Size(300, 400)


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return create_model("lite0-ocr-hier", 3).eval()


def test_torch_is_measured_on_a_small_part(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[int, ...]] = []
    engine = TorchEngine(network)
    plain = engine.run

    def run(images: torch.Tensor, options: RunOptions) -> Any:
        runs.append(tuple(images.shape))
        return plain(images, options)

    monkeypatch.setattr(engine, "run", run)
    found = foresee(engine, SIZE, (1.0,))
    assert found.engine == "torch float32"
    assert found.rate is not None
    assert 0 < found.rate < 1e-3
    assert runs == [(1, 3, 256, 256)] * 2


def test_what_an_earlier_trial_has_found_is_taken(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(network, RunOptions(engine="auto"))
    assert isinstance(engine, AutoEngine)
    unknown = foresee(engine, SIZE, (1.0,))
    assert unknown.engine.startswith("the fastest")
    assert unknown.rate is not None
    about = engine._describe_trial((512, 512), (1.0,))
    tried = (Attempt("openvino", "bf16", 0.5, 1.0, 0.0),)
    for picked, expected in ((0, ("openvino bf16", 0.005)), (None, ("torch float32", 0.02))):
        trial = Trial(tried, 2.0, (10, 10), about, picked)
        EngineCache().write_trial(make_key(about), trial.to_dict())
        assert foresee(engine, SIZE, (1.0,)) == expected
    assert engine.describe() == ""  # nothing was settled
    EngineCache().forget()


def test_what_cannot_be_measured_is_unknown(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(network)

    def fail(*_: object) -> None:
        raise UserError("no.")

    monkeypatch.setattr(engine, "run", fail)
    assert measure_rate(engine, (1.0,)) is None
    stranger: Any = object()
    assert foresee(stranger, SIZE, (1.0,)) == ("object", None)
