from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.losses.combined import CombinedLoss, Criterion
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.lovasz import LovaszSoftmax, _sort_down

from .drawing import draw
from .test_combined import Output


def transcribe(logits: Tensor, labels: Tensor) -> float:
    """The paper's equations 8 and 9, with sets of pixels."""
    counted = (labels != 255).flatten()
    shares = logits.softmax(1).transpose(0, 1).flatten(1)[:, counted].numpy()
    truth = labels.flatten()[counted].numpy()
    losses = []
    for index in np.unique(truth):
        own = {int(i) for i in np.flatnonzero(truth == index)}
        errors = np.where(truth == index, 1 - shares[index], shares[index])
        total, before, wrong = 0.0, 0.0, set()
        for pixel in np.argsort(-errors):
            wrong.add(int(pixel))
            jaccard = len(wrong) / len(own | wrong)
            total += errors[pixel] * (jaccard - before)
            before = jaccard
        losses.append(total)
    return float(np.mean(losses))


@pytest.mark.parametrize("shape", [(1, 4, 9, 11), (3, 5, 12, 10)])
def test_equals_the_transcribed_formula(shape: tuple[int, int, int, int]) -> None:
    logits, labels = draw(shape)
    loss = LovaszSoftmax(stride=1)(logits, labels)
    assert loss.item() == pytest.approx(transcribe(logits, labels), rel=1e-9)


def test_of_decided_pixels_it_is_one_minus_the_mean_iou() -> None:
    logits, labels = draw((2, 4, 10, 12))
    found = logits.argmax(1)
    decided = 1e4 * torch.nn.functional.one_hot(found, 4).movedim(-1, 1).double()
    counted = labels != 255
    shares = []
    for index in labels[counted].unique().tolist():
        both = (counted & (found == index) & (labels == index)).sum().item()
        either = (counted & ((found == index) | (labels == index))).sum().item()
        shares.append(both / either)
    loss = LovaszSoftmax(stride=1)(decided, labels)
    assert loss.item() == pytest.approx(1 - sum(shares) / len(shares), rel=1e-9)


def test_only_a_grid_counts_and_its_corner_is_drawn() -> None:
    logits, labels = draw((2, 3, 9, 12))
    expected = {
        round(LovaszSoftmax(stride=1)(logits[..., y::2, x::2], labels[:, y::2, x::2]).item(), 12)
        for y in range(2)
        for x in range(2)
    }
    assert len(expected) == 4
    torch.manual_seed(0)
    found = {round(LovaszSoftmax()(logits, labels).item(), 12) for _ in range(40)}
    assert found == expected


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_is_that_of_the_grid_alone_in_the_logits_layout(
    memory_format: torch.memory_format,
) -> None:
    logits, labels = draw((2, 3, 9, 12))
    part = logits[..., 1::2, 0::2].clone().requires_grad_()
    (expected,) = torch.autograd.grad(LovaszSoftmax(stride=1)(part, labels[:, 1::2, 0::2]), part)
    logits = logits.contiguous(memory_format=memory_format).requires_grad_()
    found = []
    for seed in range(40):
        torch.manual_seed(seed)
        if torch.randint(2, (2,)).tolist() == [1, 0]:
            torch.manual_seed(seed)
            found += torch.autograd.grad(LovaszSoftmax()(logits, labels), logits)
    assert found
    assert found[0].is_contiguous(memory_format=memory_format)
    assert torch.allclose(found[0][..., 1::2, 0::2], expected, rtol=1e-12)
    assert found[0].count_nonzero() == expected.count_nonzero() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_are_sorted_by_their_bits(dtype: torch.dtype) -> None:
    values = torch.rand(5000, dtype=dtype) ** 8
    values = torch.cat([values, values[:50], values.new_tensor([0, 0, 1, 1, 1e-40, 0.5])])
    ordered = values[_sort_down(values)]
    assert torch.equal(ordered, values.sort(descending=True).values)


def test_a_step_along_the_gradient_lowers_it() -> None:
    logits, labels = draw((1, 3, 12, 12))
    logits.requires_grad_(True)
    criterion = LovaszSoftmax(stride=1)
    loss = criterion(logits, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient.abs().sum(1)[labels == 255] == 0).all()
    assert criterion(logits - 5 * gradient, labels) < loss


def test_an_image_without_labels_has_no_loss_and_no_gradient() -> None:
    logits = torch.randn(1, 3, 8, 8, requires_grad=True)
    loss = LovaszSoftmax()(logits, torch.full((1, 8, 8), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_it_is_computed_in_single_precision_under_autocast() -> None:
    logits, labels = draw((1, 3, 12, 12))
    half = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = LovaszSoftmax(stride=1)(half, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(transcribe(half.float(), labels), rel=1e-5)


@pytest.mark.parametrize(
    ("main", "times"),
    [
        (CrossEntropy(), 1),
        (ImageWeightedCrossEntropy(bound=2), 3),
        (ImageWeightedCrossEntropy(bound=2, images=2), 2),
    ],
)
def test_beside_a_sum_over_images_it_counts_as_often(main: Criterion, times: int) -> None:
    logits, labels = draw((3, 4, 10, 12))
    combined = CombinedLoss(main, lovasz_weight=0.5)
    combined.lovasz.stride = 1
    losses = combined(Output(logits), labels)
    mean = LovaszSoftmax(stride=1)(logits, labels).item()
    assert losses["lovasz"].item() == pytest.approx(times * mean, rel=1e-9)
    expected = main(logits, labels).item() + 0.5 * times * mean
    assert losses["loss"].item() == pytest.approx(expected, rel=1e-9)
    assert "lovasz" not in CombinedLoss(main)(Output(logits), labels)
