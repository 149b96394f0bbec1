from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy

from .drawing import draw, draw_published, published_cases


def transcribe(logits: Tensor, labels: Tensor, bound: float = 1.0, inverse: bool = False) -> float:
    """METHOD section 4, pixel by pixel."""
    total = 0.0
    for image, label in zip(logits.double().softmax(1).numpy(), labels.numpy(), strict=True):
        counted = label != 255
        if not counted.any():
            continue
        numerator = denominator = 0.0
        for y, x in np.argwhere(counted):
            share = (label == label[y, x]).sum() / counted.sum()
            weight = 1 + (bound / share if inverse else bound * (1 - share))
            numerator -= weight * np.log(image[label[y, x], y, x])
            denominator += weight
        total += numerator / denominator
    return total


@pytest.mark.parametrize("shape", [(1, 4, 9, 11), (3, 5, 12, 10)])
@pytest.mark.parametrize("bound", [0.0, 1.0, 3.5])
@pytest.mark.parametrize("weighting", ["share", "inverse"])
def test_equals_the_transcribed_formula(
    shape: tuple[int, int, int, int], bound: float, weighting: str
) -> None:
    logits, labels = draw(shape)
    expected = transcribe(logits, labels, bound, weighting == "inverse")
    loss = ImageWeightedCrossEntropy(bound=bound, weighting=weighting)(logits, labels)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_equals_the_published_numbers(parity_dir: Path) -> None:
    for case in published_cases(parity_dir, "image_weighted"):
        loss = ImageWeightedCrossEntropy()(*draw_published(case, 0.1))
        assert loss.item() == pytest.approx(case["image_weighted_ce"], rel=1e-5)


def test_by_batch_the_shares_are_those_of_all_images() -> None:
    logits, labels = draw((2, 4, 9, 11))
    labels[1] = labels[1].where(labels[1] != 2, 0)  # the images differ in what they hold
    counted = labels != 255
    shares = torch.stack([(labels == c).sum() for c in range(4)]) / counted.sum()
    expected = 0.0
    for image, label in zip(logits, labels, strict=True):
        there = label != 255
        weights = (1 + 1.5 * (1 - shares))[label[there]]
        losses = torch.nn.functional.cross_entropy(
            image[:, there].T, label[there], reduction="none"
        )
        expected += float((weights * losses).sum() / weights.sum())
    loss = ImageWeightedCrossEntropy(bound=1.5, by_batch=True)(logits, labels)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    by_image = ImageWeightedCrossEntropy(bound=1.5)(logits, labels)
    assert by_image.item() != pytest.approx(expected, rel=1e-4)
    one = ImageWeightedCrossEntropy(bound=1.5, by_batch=True)(logits[:1], labels[:1])
    assert one.item() == pytest.approx(
        ImageWeightedCrossEntropy(bound=1.5)(logits[:1], labels[:1]).item(), rel=1e-12
    )


def test_without_a_bound_an_image_has_its_cross_entropy() -> None:
    logits, labels = draw((1, 4, 9, 11))
    loss = ImageWeightedCrossEntropy(bound=0)(logits, labels)
    assert loss.item() == pytest.approx(CrossEntropy()(logits, labels).item(), rel=1e-12)


def test_a_batch_has_the_sum_of_its_images() -> None:
    logits, labels = draw((3, 5, 12, 10))
    labels[1] = 255
    criterion = ImageWeightedCrossEntropy()
    parts = [criterion(logits[i : i + 1], labels[i : i + 1]).item() for i in range(3)]
    assert parts[1] == 0
    assert criterion(logits, labels).item() == pytest.approx(sum(parts), rel=1e-12)


@pytest.mark.parametrize("weighting", ["share", "inverse"])
def test_gradient_is_that_of_the_value(weighting: str) -> None:
    logits, labels = draw((2, 3, 5, 7))
    criterion = ImageWeightedCrossEntropy(weighting=weighting)  # type: ignore[arg-type]
    assert torch.autograd.gradcheck(lambda x: criterion(x, labels), logits.requires_grad_())


def test_all_ignored_is_zero_with_zero_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = ImageWeightedCrossEntropy(weighting="inverse")(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert str(loss.item()) == "0.0"  # and not -0.0, which the log would show
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_ignore_is_a_choice_and_classes_may_be_many() -> None:
    logits, labels = draw((2, 150, 12, 12), ignore=150)
    expected = transcribe(logits, labels.where(labels != 150, 255))
    loss = ImageWeightedCrossEntropy(ignore=150)(logits, labels)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_is_computed_in_float32_under_autocast() -> None:
    logits, labels = draw((1, 5, 200, 200), block=8)
    logits = logits.bfloat16().requires_grad_()
    expected = ImageWeightedCrossEntropy()(logits.double(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        loss = ImageWeightedCrossEntropy()(logits, labels)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16


def test_pixelwise_is_the_loss_itself() -> None:
    logits, labels = draw((2, 3, 6, 6))
    criterion = ImageWeightedCrossEntropy()
    assert criterion.pixelwise(logits, labels).item() == criterion(logits, labels).item()
