from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss

from .drawing import draw, draw_published, published_cases


def find_sets(
    label: npt.NDArray[np.int64], window: int, strict: Sequence[int] = ()
) -> dict[tuple[int, int], set[int]]:
    """Each pixel's memberships, 255 for those in ignore, by METHOD section 4."""
    padded = np.pad(label, window, constant_values=255)
    side = 2 * window + 1
    return {
        (y, x): {label[y, x]}
        if label[y, x] in strict
        else set(padded[y : y + side, x : x + side].flat)
        for y, x in np.ndindex(*label.shape)
    }


def transcribe(
    logits: Tensor,
    labels: Tensor,
    *,
    window: int = 1,
    strict: Sequence[int] = (),
    bound: float = 1.0,
    late: bool = False,
) -> float:
    """METHOD section 4, pixel by pixel, image by image."""
    total = 0.0
    for image, label in zip(logits.double().softmax(1).numpy(), labels.numpy(), strict=True):
        sets = find_sets(label, 0 if late else window, strict)
        around = find_sets(label, 1)
        memberships = [c for members in sets.values() for c in members]
        loss, pixels = 0.0, 0
        for (y, x), members in sets.items():
            right = members - {255}
            if not right:
                continue
            pixels += 1
            s = sum(image[c, y, x] for c in right)
            weights = [1 + bound * (1 - memberships.count(c) / len(memberships)) for c in right]
            twice = late and len(around[y, x] - {255}) > 1
            loss -= (2 if twice else 1) * sum(w * np.log(s) for w in weights) / len(right)
        total += loss / (pixels + 1)
    return total


@pytest.mark.parametrize("shape", [(1, 4, 10, 13), (3, 5, 9, 8), (1, 2, 1, 6), (2, 3, 2, 2)])
@pytest.mark.parametrize("block", [1, 3])
def test_equals_the_transcribed_formula(shape: tuple[int, int, int, int], block: int) -> None:
    logits, labels = draw(shape, block)
    for options in ({}, {"bound": 0.0}, {"bound": 2.5}, {"strict": (0, 1)}, {"window": 2}):
        expected = transcribe(logits, labels, **options)  # type: ignore[arg-type]
        loss = BoundaryRelaxedLoss(**options)(logits, labels)  # type: ignore[arg-type]
        assert loss.item() == pytest.approx(expected, rel=1e-12), options


@pytest.mark.parametrize("block", [1, 3])
def test_the_late_stage_equals_the_transcribed_formula(block: int) -> None:
    logits, labels = draw((2, 4, 11, 10), block)
    criterion = BoundaryRelaxedLoss(strict=(1,), bound=1.5, relax_until=-1)
    expected = transcribe(logits, labels, bound=1.5, late=True)
    assert criterion(logits, labels).item() == pytest.approx(expected, rel=1e-12)


def test_the_change_comes_after_its_epoch() -> None:
    logits, labels = draw((1, 4, 10, 13))
    early, late = transcribe(logits, labels), transcribe(logits, labels, late=True)
    assert early != pytest.approx(late, rel=0.1)
    criterion = BoundaryRelaxedLoss(relax_until=2)
    assert criterion(logits, labels).item() == pytest.approx(early)
    for epoch, expected in ((1, early), (2, early), (3, late), (4, late), (0, early)):
        criterion.set_epoch(epoch)
        assert criterion(logits, labels).item() == pytest.approx(expected)
    forever = BoundaryRelaxedLoss()
    forever.set_epoch(10_000)
    assert forever(logits, labels).item() == pytest.approx(early)


def test_equals_the_published_numbers(parity_dir: Path) -> None:
    for case in published_cases(parity_dir, "boundary_relaxed"):
        logits, labels = draw_published(case, 0.15)
        strict = case["strict"] or ()
        loss = BoundaryRelaxedLoss(window=case["border"], strict=strict)(logits, labels)
        assert loss.item() == pytest.approx(case["relaxed"], rel=1e-5)


@pytest.mark.parametrize("relax_until", [None, -1])
def test_a_batch_has_the_sum_of_its_images(relax_until: int | None) -> None:
    logits, labels = draw((3, 5, 12, 10))
    labels[1] = 255
    criterion = BoundaryRelaxedLoss(relax_until=relax_until)
    parts = [criterion(logits[i : i + 1], labels[i : i + 1]).item() for i in range(3)]
    assert parts[1] == 0
    assert criterion(logits, labels).item() == pytest.approx(sum(parts), rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"strict": (1,)}, {"relax_until": -1}])
@pytest.mark.parametrize("block", [1, 3])
def test_gradient_is_that_of_the_value(options: dict[str, object], block: int) -> None:
    logits, labels = draw((2, 3, 5, 7), block)
    criterion = BoundaryRelaxedLoss(**options)  # type: ignore[arg-type]
    assert torch.autograd.gradcheck(lambda x: criterion(x, labels), logits.requires_grad_())


@pytest.mark.parametrize("relax_until", [None, -1])
def test_all_ignored_is_zero_with_zero_gradient(relax_until: int | None) -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = BoundaryRelaxedLoss(relax_until=relax_until)(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert str(loss.item()) == "0.0"  # and not -0.0, which the log would show
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_an_ignored_pixel_beside_a_class_is_held_to_it_until_the_late_stage() -> None:
    labels = torch.full((1, 5, 5), 255)
    labels[0, 2, 2] = 1
    for relax_until, reached in ((None, 9), (-1, 1)):
        logits = torch.zeros(1, 3, 5, 5, requires_grad=True)
        BoundaryRelaxedLoss(relax_until=relax_until)(logits, labels).backward()
        assert logits.grad is not None
        assert (logits.grad[0, 1] < 0).sum() == reached
        assert (logits.grad[0, 0] > 0).sum() == reached


def test_ignore_is_a_choice_and_classes_may_be_many() -> None:
    logits, labels = draw((1, 150, 12, 12), ignore=150)
    expected = transcribe(logits, labels.where(labels != 150, 255))
    assert BoundaryRelaxedLoss(150)(logits, labels).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_is_computed_in_float32_under_autocast(scale: float) -> None:
    logits, labels = draw((2, 5, 60, 60), block=8)
    logits = (scale * logits).bfloat16().requires_grad_()
    criterion = BoundaryRelaxedLoss()
    exact = logits.detach().double().requires_grad_()
    expected = criterion(exact, labels)
    expected.backward()
    with torch.autocast("cpu", torch.bfloat16):
        loss = criterion(logits, labels)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert logits.grad is not None
    assert exact.grad is not None
    assert logits.grad.dtype == torch.bfloat16
    # Within bfloat16's rounding, and float32's of the logits, for the weight of a pixel.
    rounding = 2 * scale * 1e-6 / 3600
    assert torch.allclose(logits.grad.double(), exact.grad, rtol=2**-8, atol=rounding)


def test_pixelwise_is_the_loss_itself() -> None:
    logits, labels = draw((2, 3, 6, 6))
    criterion = BoundaryRelaxedLoss()
    assert criterion.pixelwise(logits, labels).item() == criterion(logits, labels).item()
