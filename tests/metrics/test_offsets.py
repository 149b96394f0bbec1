from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hierseg.metrics.offsets import LARGEST, STEP, fit_offsets


def measure(logits: Tensor, labels: Tensor) -> float:
    """Mean IoU over the classes that the labels have, class by class."""
    found = logits.argmax(1)
    shares = []
    for index in labels.unique().tolist():
        both = ((found == index) & (labels == index)).sum().item()
        either = ((found == index) | (labels == index)).sum().item()
        shares.append(both / either)
    return sum(shares) / len(shares)


def draw(pixels: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Pixels of classes that are the rarer, the higher their id, and logits that tell a little."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(pixels, generator=generator)
    labels = (classes * draws**2).long()
    logits = torch.randn(pixels, classes, generator=generator)
    logits[torch.arange(pixels), labels] += 1.5
    return logits, labels


@pytest.mark.parametrize("seed", [0, 1])
def test_both_figures_are_those_of_the_definition(seed: int) -> None:
    logits, labels = draw(3000, 5, seed)
    logits += torch.tensor([0.0, 1.0, -1.0, 0.5, -0.5])
    fit = fit_offsets(logits, labels)
    assert fit.before == pytest.approx(measure(logits, labels), rel=1e-12)
    assert fit.after == pytest.approx(measure(logits + fit.values, labels), rel=1e-12)
    assert fit.after > fit.before + 0.02


def test_no_single_offset_of_the_grid_is_better() -> None:
    logits, labels = draw(800, 4)
    fit = fit_offsets(logits, labels)
    for index in range(4):
        for step in range(round(2 * LARGEST / STEP) + 1):
            moved = fit.values.clone()
            moved[index] = -LARGEST + step * STEP
            assert measure(logits + moved, labels) <= fit.after + 1e-9


def test_a_class_that_is_shifted_is_shifted_back() -> None:
    """Of two classes that mirror each other, what one has gained it must lose to the other."""
    logits, labels = draw(20_000, 2)
    symmetric = torch.where(labels[:, None] == 0, logits, logits.flip(1))
    balanced = (torch.arange(len(labels)) % 2).long()
    symmetric = torch.where(balanced[:, None] == 0, symmetric, symmetric.flip(1))
    fit = fit_offsets(symmetric + torch.tensor([0.0, 1.25]), balanced)
    assert float(fit.values[1] - fit.values[0]) == pytest.approx(-1.25, abs=0.2)


def test_what_is_right_already_stays_and_absent_classes_have_no_offset() -> None:
    labels = torch.tensor([0, 0, 2, 2])
    logits = torch.nn.functional.one_hot(labels, 4).float() * 9
    fit = fit_offsets(logits, labels)
    assert fit.values.tolist() == [0, 0, 0, 0]
    assert (fit.before, fit.after) == (1, 1)


def test_offsets_are_bounded() -> None:
    logits, labels = draw(500, 3)
    fit = fit_offsets(logits + torch.tensor([0.0, 50.0, 0.0]), labels)
    assert fit.values.abs().max() <= LARGEST


def test_no_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        fit_offsets(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))
