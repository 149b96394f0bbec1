"""Calibration against its definition pixel by pixel, and temperatures that are known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from hierseg.metrics import calibration as module
from hierseg.metrics.calibration import CalibrationCounts, fit_temperature


@settings(deadline=None, max_examples=25)
@given(
    st.integers(2, 5),
    st.integers(1, 60),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.integers(0, 2**32 - 1),
)
def test_equals_a_loop_over_pixels(
    classes: int, pixels: int, temperature: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (classes, 2, pixels)).astype(np.float32)
    labels = random.integers(0, classes + 1, (2, pixels))
    labels[labels == classes] = 255
    counts = CalibrationCounts(temperature)
    counts.update(torch.from_numpy(logits), torch.from_numpy(labels))
    scores = counts.scores()
    members: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    nll, total, right = 0.0, 0, 0
    for row in range(2):
        for column in range(pixels):
            truth = labels[row, column]
            if truth == 255:
                continue
            values = [float(value) / temperature for value in logits[:, row, column]]
            whole = sum(math.exp(value) for value in values)
            confidence = math.exp(max(values)) / whole
            correct = values.index(max(values)) == truth
            for number in range(15):
                if number / 15 < confidence <= (number + 1) / 15:
                    members[number].append((confidence, correct))
            nll -= values[truth] - math.log(whole)
            total += 1
            right += correct
    if total == 0:
        assert scores.pixels == 0
        assert math.isnan(scores.ece)
        return
    ece = 0.0
    for number, found in enumerate(members):
        assert scores.bins[number].pixels == len(found)
        if found:
            accuracy = sum(correct for _, correct in found) / len(found)
            confidence = sum(sure for sure, _ in found) / len(found)
            ece += len(found) / total * abs(accuracy - confidence)
            assert scores.bins[number].accuracy == pytest.approx(accuracy)
            assert scores.bins[number].confidence == pytest.approx(confidence, abs=1e-6)
    assert scores.ece == pytest.approx(ece, abs=1e-6)
    assert scores.nll == pytest.approx(nll / total, abs=1e-5)
    assert scores.accuracy == pytest.approx(right / total)
    assert scores.pixels == total
    every = [pair for found in members for pair in found]
    for number in (0, 37, 50, 90):
        kept = [correct for sure, correct in every if sure >= number / 100]
        point = scores.keep(number / 100)
        assert point.threshold == number / 100
        assert point.coverage == pytest.approx(len(kept) / total)
        if kept:
            assert point.accuracy == pytest.approx(sum(kept) / len(kept))


def test_bins_hold_their_upper_edge() -> None:
    counts = CalibrationCounts(bins=4)
    logits = torch.zeros(4, 3)  # 1/4 each
    logits[:2, 2] = 200  # 1/2
    counts.update(logits, torch.tensor([0, 1, 0]))
    assert [found.pixels for found in counts.scores().bins] == [2, 1, 0, 0]
    assert counts.scores().bins[1].low == 0.25
    assert counts.scores().bins[1].high == 0.5


def test_a_confidence_at_the_threshold_keeps_its_class() -> None:
    counts = CalibrationCounts()
    logits = torch.zeros(2, 4)  # one half each
    logits[0, 2:] = 200  # certain
    counts.update(logits, torch.tensor([0, 1, 0, 1]))
    scores = counts.scores()
    assert [scores.keep(t).coverage for t in (0.5, 0.51, 1.0)] == [1.0, 0.5, 0.5]
    assert scores.keep(1.0).accuracy == 0.5
    other = CalibrationCounts()
    other.update(logits[:, :2], torch.tensor([0, 0]))
    counts.merge(other)
    assert counts.scores().keep(0.51).coverage == pytest.approx(2 / 6)


def test_certainty_is_counted_in_the_last_bin() -> None:
    counts = CalibrationCounts()
    counts.update(torch.tensor([[300.0], [0.0]]), torch.tensor([0]))
    assert counts.scores().bins[-1].pixels == 1
    assert counts.scores().ece == 0


def test_chunks_and_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 50, generator=generator)
    labels = torch.randint(0, 3, (50,), generator=generator)
    whole, first, second = CalibrationCounts(2), CalibrationCounts(2), CalibrationCounts(2)
    whole.update(logits, labels)
    monkeypatch.setattr(module, "CHUNK", 7)
    first.update(logits[:, :20], labels[:20])
    second.update(logits[:, 20:], labels[20:])
    first.merge(second)
    assert first.scores().ece == pytest.approx(whole.scores().ece)
    assert first.scores().nll == pytest.approx(whole.scores().nll)
    assert first.scores().pixels == 50
    with pytest.raises(ValueError, match="do not add"):
        first.merge(CalibrationCounts(1))


def sample(temperature: float, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn from softmax(logits / temperature)."""
    generator = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(count, 6, generator=generator)
    weights = (logits / temperature).softmax(1)
    return logits, torch.multinomial(weights, 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.7])
def test_the_temperature_that_labels_were_drawn_by_is_found(temperature: float) -> None:
    logits, labels = sample(temperature, 40_000)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.03)

    def nll(candidate: float) -> float:
        counts = CalibrationCounts(candidate)
        counts.update(logits.T.double(), labels)
        return counts.scores().nll

    best = minimize_scalar(nll, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-6})
    assert found == pytest.approx(best.x, rel=2e-3)
    assert nll(found) <= best.fun + 1e-7
    counts = CalibrationCounts(found)
    counts.update(logits.T, labels)
    assert counts.scores().ece < 0.01


def test_chunks_do_not_change_the_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = sample(2, 1000)
    whole = fit_temperature(logits, labels)
    monkeypatch.setattr(module, "CHUNK", 130)
    assert fit_temperature(logits, labels) == pytest.approx(whole, rel=1e-6)


def test_networks_that_are_always_right_or_know_nothing_stay_within_limits() -> None:
    logits = torch.tensor([[4.0, 0.0], [0.0, 4.0]])
    assert fit_temperature(logits, torch.tensor([0, 1])) == pytest.approx(0.02, rel=1e-3)
    assert fit_temperature(logits, torch.tensor([1, 0])) == pytest.approx(50, rel=1e-3)
    assert 0.02 <= fit_temperature(torch.zeros(4, 3), torch.zeros(4)) <= 50
    with pytest.raises(ValueError, match="no pixels"):
        fit_temperature(torch.zeros(0, 3), torch.zeros(0))
