from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hierseg.planning import Request, engine_run, measure_matrix_peak
from hierseg.planning.engine_run import MAPS, run_engine


def test_a_run_is_timed_counted_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_run, "measure_matrix_peak", lambda *_: 1e9)
    request = Request(
        "streets-lite0", "cpu", "torch", "float32", "64x128", (1.0,), 2, str(tmp_path)
    )
    found = run_engine(request)
    assert found.ran == ("torch", "float32")
    assert 0 < found.milliseconds < 1000 * found.first * 50
    assert found.peak > 50_000_000
    with np.load(tmp_path / MAPS) as maps:
        assert maps["labels"].shape == maps["confidence"].shape == (64, 128)
        assert (maps["confidence"] > 0).all()
    # Twice the work of half the pixels, up to what does not depend on them.
    half = Request("streets-lite0", "cpu", "torch", "float32", "64x64", (1.0,), 1, str(tmp_path))
    flops = run_engine(half).flops
    assert found.flops is not None
    assert flops is not None
    assert found.flops == pytest.approx(2 * flops, rel=0.02)


def test_matrix_products_have_a_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    from hierseg.planning import matrix_peak

    monkeypatch.setattr(matrix_peak, "LARGEST", 256)
    found = measure_matrix_peak("float32")
    assert found is not None
    assert 1e7 < found < 1e15
    monkeypatch.setattr(matrix_peak, "_time_product", lambda *_: None)
    assert measure_matrix_peak("int8") is None
