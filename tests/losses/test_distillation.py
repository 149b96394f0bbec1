from __future__ import annotations

import math

import pytest
import torch

from hierseg.losses.distillation import ROWS, Distillation


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_against_the_formula_pixel_by_pixel(temperature: float) -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, ROWS + 7, 3), torch.randn(2, 4, ROWS + 7, 3)
    p = (teacher.double() / temperature).softmax(1)
    q = (student.double() / temperature).softmax(1)
    expected = float((p * (p / q).log()).sum(1).mean()) * temperature**2
    assert float(Distillation(temperature)(student, teacher)) == pytest.approx(expected, rel=1e-5)


def test_rare_classes_of_the_teacher_weigh_more() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, ROWS + 7, 3), torch.randn(2, 3, ROWS + 7, 3)
    teacher[0, 1] -= 1.5
    teacher[1, 2] -= 50  # a class that the second image has not
    p, q = teacher.double().softmax(1), student.double().softmax(1)
    pixels = (p * (p / q).log()).sum(1)
    means = []
    for image, classes in zip(pixels, teacher.argmax(1), strict=True):
        shares = torch.stack([(classes == label).double().mean() for label in range(3)])
        weights = 1 + 0.1 / shares[classes]
        means.append(float((weights * image).sum() / weights.sum()))
    expected = sum(means) / 2
    assert float(Distillation(weight_bound=0.1)(student, teacher)) == pytest.approx(expected, 1e-5)
    assert float(Distillation()(student, teacher)) != pytest.approx(expected, 1e-3)


def test_it_is_least_where_both_agree_and_only_the_student_learns() -> None:
    torch.manual_seed(0)
    teacher = torch.randn(1, 3, 8, 8, requires_grad=True)
    same = teacher.detach().clone().requires_grad_()
    loss = Distillation(2.0)(same, teacher)
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    loss.backward()
    assert same.grad is not None
    assert float(same.grad.abs().max()) < 1e-7
    assert teacher.grad is None
    student = torch.zeros(1, 3, 8, 8, requires_grad=True)
    loss = Distillation()(student, teacher)
    loss.backward()
    assert student.grad is not None
    wanted = (student.detach().softmax(1) - teacher.detach().softmax(1)) / 64
    assert torch.allclose(student.grad, wanted, atol=1e-7)


def test_half_precision_is_compared_in_float32() -> None:
    student = torch.full((1, 2, 4, 4), 6e4, dtype=torch.float16)
    student[:, 1] = -6e4
    found = Distillation()(student, torch.zeros(1, 2, 4, 4))
    assert found.dtype == torch.float32
    assert math.isfinite(float(found))
