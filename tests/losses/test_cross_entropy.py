from __future__ import annotations

import numpy as np
import pytest
import torch

from hierseg.losses.cross_entropy import CrossEntropy


def test_is_the_mean_over_counted_pixels() -> None:
    logits = torch.randn(2, 4, 3, 5)
    labels = torch.randint(0, 4, (2, 3, 5))
    labels[0, 0] = 255
    probabilities = logits.softmax(1).numpy()
    expected = -np.mean(
        [
            np.log(probabilities[b, labels[b, y, x], y, x])
            for b, y, x in np.ndindex(2, 3, 5)
            if labels[b, y, x] != 255
        ]
    )
    assert CrossEntropy()(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_ignore_is_a_choice() -> None:
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, 65], [65, 2]]])
    counted = logits[0, :, [0, 1], [0, 1]].T
    expected = torch.nn.functional.cross_entropy(counted, torch.tensor([0, 2]))
    assert CrossEntropy(ignore=65)(logits, labels).item() == pytest.approx(expected.item())


def test_ignored_pixels_have_no_gradient() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    labels[0, 1, 2] = 255
    CrossEntropy()(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad[0, :, 1, 2].abs().sum() == 0
    assert logits.grad[0, :, 0, 0].abs().sum() > 0


def test_all_ignored_is_zero_with_zero_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = CrossEntropy()(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_is_computed_in_float32_under_autocast() -> None:
    # A sum of half a million bf16 losses would be off by percents.
    logits = torch.randn(1, 5, 700, 700).bfloat16()
    labels = torch.randint(0, 5, (1, 700, 700))
    expected = CrossEntropy()(logits.double(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        loss = CrossEntropy()(logits, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_pixelwise_is_cross_entropy_itself() -> None:
    logits, labels = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4))
    criterion = CrossEntropy()
    assert criterion.pixelwise(logits, labels).item() == criterion(logits, labels).item()


@pytest.mark.parametrize("batch", [1, 3])
def test_the_layout_of_the_logits_changes_nothing(batch: int) -> None:
    plain = torch.randn(batch, 5, 7, 9, requires_grad=True)
    labels = torch.randint(0, 5, (batch, 7, 9))
    labels[:, 2] = 255
    last = plain.detach().to(memory_format=torch.channels_last).requires_grad_()
    losses = [CrossEntropy()(logits, labels) for logits in (plain, last)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    for loss in losses:
        loss.backward()
    assert plain.grad is not None
    assert last.grad is not None
    assert torch.allclose(plain.grad, last.grad, rtol=1e-5, atol=1e-8)
