from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hierseg.losses.region_mutual_information import RegionMutualInformation, factorise


def transcribe(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """BCE and RMI as METHOD section 4 writes them: loops, one-hot maps, an explicit inverse."""
    batch, classes = logits.shape[:2]
    counted = (labels != 255).double()
    one_hot = torch.stack([(labels == c).double() for c in range(classes)], 1)
    bce = functional.binary_cross_entropy_with_logits(logits.double(), one_hot, reduction="none")
    bce_value = (bce * counted[:, None]).sum() / (counted.sum() + 1)
    identity = 5e-4 * torch.eye(9, dtype=torch.float64)
    total = 0.0
    for b in range(batch):
        for c in range(classes):
            y = functional.avg_pool2d((one_hot[b, c] * counted[b])[None, None], 4, 4, 2)[0, 0]
            p = logits[b, c].double().sigmoid() * counted[b] + 1e-6
            p = functional.avg_pool2d(p[None, None], 4, 4, 2)[0, 0]
            height, width = y.shape
            windows = [
                torch.stack(
                    [
                        m[i : i + height - 2, j : j + width - 2].flatten()
                        for i, j in np.ndindex(3, 3)
                    ]
                )
                for m in (y, p)
            ]
            y_vectors, p_vectors = (w - w.mean(1, keepdim=True) for w in windows)
            s_yy, s_pp = y_vectors @ y_vectors.T, p_vectors @ p_vectors.T
            s_yp = y_vectors @ p_vectors.T
            m = s_yy - s_yp @ torch.linalg.inv(s_pp + identity) @ s_yp.T
            factor = torch.linalg.cholesky(m + identity)
            total += float((factor.diagonal() + 1e-8).log().sum() / 9 / batch)
    return float(bce_value), total


def draw(shape: tuple[int, int, int, int], ignored: float = 0.2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    batch, classes, height, width = shape
    coarse = torch.randn(batch, classes, height // 6 + 1, width // 6 + 1, generator=generator)
    logits = 3 * functional.interpolate(coarse, (height, width))
    noise = torch.randn(batch, classes, height, width, generator=generator)
    labels = (logits + 2 * noise).argmax(1)
    labels[torch.rand(labels.shape, generator=generator) < ignored] = 255
    return logits + noise, labels


@pytest.mark.parametrize("shape", [(2, 3, 32, 40), (1, 4, 33, 47), (2, 2, 9, 8), (1, 2, 31, 34)])
def test_equals_the_transcribed_formulas(shape: tuple[int, int, int, int]) -> None:
    logits, labels = draw(shape)
    bce, region = transcribe(logits, labels)
    criterion = RegionMutualInformation()
    for exact, tolerance in ((logits, 1e-6), (logits.double(), 1e-11)):
        bound = {"rel": tolerance}
        assert criterion.bce(exact, labels).item() == pytest.approx(bce, **bound)
        assert criterion(exact, labels).item() == pytest.approx(0.5 * (bce + region), **bound)
        other = RegionMutualInformation(weight=0.2)(exact, labels)
        assert other.item() == pytest.approx(0.8 * bce + 0.2 * region, **bound)
    assert criterion.fallbacks == 0


def test_equals_the_published_numbers(parity_dir: Path) -> None:
    cases = json.loads((parity_dir / "losses.json").read_text())["rmi"]
    assert len(cases) == 2
    for case in cases:
        r = np.random.RandomState(case["seed"])
        n, k, h, w = case["shape"]
        ones = np.ones((8, 8))
        values = np.kron(r.standard_normal((n, k, h // 8, w // 8)), ones) * 2
        values += 0.3 * r.standard_normal((n, k, h, w))
        ids = np.kron(r.randint(0, k, (n, h // 8, w // 8)), ones)
        ids[np.kron(r.random_sample((n, h // 8, w // 8)), ones) < 0.1] = 255
        logits = torch.tensor(values, dtype=torch.float32, requires_grad=True)
        labels = torch.tensor(ids).long()
        criterion = RegionMutualInformation()
        loss = criterion(logits, labels)
        loss.backward()
        assert logits.grad is not None
        assert loss.item() == pytest.approx(case["rmi"], rel=1e-5)
        assert criterion.bce(logits, labels).item() == pytest.approx(case["bce"], rel=1e-5)
        assert logits.grad.abs().sum().item() == pytest.approx(case["grad_abs_sum"], rel=1e-5)


# 11 and 15 leave rows and columns that no pooling kernel covers.
@pytest.mark.parametrize("shape", [(2, 2, 10, 13), (1, 3, 11, 15), (1, 2, 8, 12)])
def test_gradient_is_that_of_the_value(shape: tuple[int, int, int, int]) -> None:
    logits, labels = draw(shape)
    logits = logits.double().requires_grad_()
    criterion = RegionMutualInformation()
    assert torch.autograd.gradcheck(lambda x: criterion(x, labels), (logits,), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: criterion.bce(x, labels), (logits,), fast_mode=True)


def test_the_scatter_is_the_same_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = draw((2, 5, 40, 48))
    results = []
    for chunk in (1, 2**21, 18 * 11 * 13 * 3):  # one map, all ten, three at a time
        monkeypatch.setattr("hierseg.losses.region_statistics.CHUNK", chunk)
        leaf = logits.clone().requires_grad_()
        loss = RegionMutualInformation()(leaf, labels)
        loss.backward()
        assert leaf.grad is not None
        results.append((loss.detach(), leaf.grad))
    for loss, gradient in results[1:]:
        assert torch.allclose(loss, results[0][0], rtol=1e-6)
        assert torch.allclose(gradient, results[0][1], atol=1e-7)


@pytest.mark.parametrize("classes", [511, 512, 513, 1100])
def test_any_number_of_classes_has_its_bce(classes: int) -> None:
    # At a logit of 0 each class has a factor of 2, and 2**1100 is beyond float64.
    logits = torch.zeros(1, classes, 8, 8)
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    loss = RegionMutualInformation().bce(logits, labels)
    assert loss.item() == pytest.approx(classes * np.log(2) * 64 / 65, rel=1e-6)


@pytest.mark.parametrize("value", [0.01, 5.0, 12.0, 30.0, 60.0])
@pytest.mark.parametrize("right", [True, False])
def test_bce_is_exact_for_small_and_large_losses(value: float, right: bool) -> None:
    labels = torch.randint(0, 4, (1, 12, 12), generator=torch.Generator().manual_seed(0))
    own = functional.one_hot(labels, 4).movedim(3, 1).float()
    logits = value * (2 * own - 1) * (1 if right else -1)
    expected, _ = transcribe(logits, labels)
    assert RegionMutualInformation().bce(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_can_be_negative() -> None:
    labels = draw((1, 2, 64, 64), ignored=0)[1]
    logits = 40 * functional.one_hot(labels, 2).movedim(3, 1).float() - 20
    assert RegionMutualInformation()(logits, labels).item() < 0


HARD = {
    "absent classes": (torch.randn(2, 5, 32, 32), torch.zeros(2, 32, 32, dtype=torch.int64)),
    "all ignored": (torch.randn(2, 5, 32, 32), torch.full((2, 32, 32), 255)),
    "one of two all ignored": (
        torch.randn(2, 5, 32, 32),
        torch.stack([torch.full((32, 32), 255), torch.randint(0, 5, (32, 32))]),
    ),
    "constant": (torch.zeros(2, 5, 32, 32), torch.randint(0, 5, (2, 32, 32))),
    "saturated": (torch.full((2, 5, 32, 32), 500.0), torch.randint(0, 5, (2, 32, 32))),
    "negatively saturated": (torch.full((2, 5, 32, 32), -1e30), torch.randint(0, 5, (2, 32, 32))),
    "both constant": (torch.zeros(2, 5, 32, 32), torch.ones(2, 32, 32, dtype=torch.int64)),
}


@pytest.mark.parametrize("case", HARD)
@pytest.mark.parametrize("autocast", [False, True])
def test_hard_inputs_are_finite_without_falling_back(case: str, autocast: bool) -> None:
    logits, labels = HARD[case]
    logits = (logits.bfloat16() if autocast else logits).clone().requires_grad_()
    criterion = RegionMutualInformation()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = criterion(logits, labels)
        bce = criterion.bce(logits, labels)
    loss.backward()
    assert loss.dtype == bce.dtype == torch.float32
    assert logits.grad is not None
    assert bool(loss.isfinite())
    assert bool(logits.grad.isfinite().all())
    assert criterion.fallbacks == 0


def test_all_ignored_has_no_gradient() -> None:
    logits, labels = HARD["all ignored"]
    logits = logits.clone().requires_grad_()
    RegionMutualInformation()(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_autocast_changes_the_value_by_the_rounding_of_the_logits_alone() -> None:
    logits, labels = draw((1, 4, 64, 64))
    logits = logits.bfloat16()
    expected = RegionMutualInformation()(logits.float(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        loss = RegionMutualInformation()(logits, labels)
    assert loss.item() == expected.item()


def test_factorise_rescues_what_a_growing_diagonal_can_and_leaves_the_rest_alone() -> None:
    singular = torch.ones(3, 3, dtype=torch.float64) - 1e-9 * torch.eye(3, dtype=torch.float64)
    good = torch.eye(3, dtype=torch.float64) * 4
    factor = factorise(torch.stack([singular, good]))
    assert factor is not None
    assert torch.equal(factor[1], good.sqrt())
    assert (factor[0] @ factor[0].T - singular).abs().max() < 1e-6


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_factorise_gives_up_on_what_cannot_be_rescued(value: float) -> None:
    assert factorise(torch.full((2, 3, 3), value, dtype=torch.float64)) is None


def test_falls_back_to_bce_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "hierseg.losses.region_mutual_information.joint_scatter",
        lambda truth, predicted: -torch.eye(18, dtype=torch.float64).expand(2, 3, 18, 18),
    )
    logits, labels = draw((2, 3, 32, 32))
    logits.requires_grad_()
    criterion = RegionMutualInformation()
    loss = criterion(logits, labels)
    loss.backward()
    assert loss.item() == criterion.bce(logits, labels).item()
    assert criterion.fallbacks == 1
    criterion(logits, labels)
    assert criterion.fallbacks == 2


def test_logits_that_are_not_finite_do_not_raise() -> None:
    logits, labels = draw((1, 3, 16, 16))
    logits[0, 0, 3, 3] = float("nan")
    criterion = RegionMutualInformation()
    criterion(logits, labels)
    assert criterion.fallbacks == 1


def test_a_crop_without_a_neighbourhood_falls_back() -> None:
    logits, labels = draw((1, 3, 7, 40))
    criterion = RegionMutualInformation()
    assert criterion(logits, labels).item() == criterion.bce(logits, labels).item()
    assert criterion.fallbacks == 1


def test_pixelwise_is_the_whole_bce() -> None:
    logits, labels = draw((1, 3, 16, 16))
    criterion = RegionMutualInformation()
    assert criterion.pixelwise(logits, labels).item() == criterion.bce(logits, labels).item()
