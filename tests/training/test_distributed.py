"""Several processes compute what one computes with all their images, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from support import shared_work
from support.together import run_together


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run_together("support.shared_work:run_all", tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def one() -> Any:
    return shared_work.run_all({})


@pytest.mark.parametrize("kind", ["BatchNorm2d", "BatchNormAct2d"])
def test_norms_are_those_of_all_images(one: Any, two: Any, kind: str) -> None:
    alone, first = one["norms"][kind], two["norms"][kind]
    for name in ("output", "gradient"):
        torch.testing.assert_close(first[name], alone[name][::2], rtol=1e-11, atol=1e-11)
    for name in ("weight", "bias", "evaluated", "statistics"):
        torch.testing.assert_close(first[name], alone[name], rtol=1e-11, atol=1e-11)
    assert first["statistics"]["num_batches_tracked"] == 2


@pytest.mark.parametrize("name", list(shared_work.CRITERIA))
def test_losses_divide_by_what_all_processes_count(one: Any, two: Any, name: str) -> None:
    alone, first = one["criteria"][name], two["criteria"][name]
    assert float(first["loss"]) == pytest.approx(float(alone["loss"]), rel=1e-12)
    # The first process has images 0, which has no label, and 2.
    torch.testing.assert_close(first["gradient"], alone["gradient"][::2], rtol=1e-11, atol=1e-15)
    assert first["gradient"][1].abs().sum() > 0


def test_sums_over_two_images_do_not_grow_with_the_batch(one: Any) -> None:
    for name in ("image_weighted", "boundary_relaxed"):
        whole, of_two = one["criteria"][name], one["criteria"][f"{name} of 2"]
        torch.testing.assert_close(whole["loss"] / 2, of_two["loss"])
        torch.testing.assert_close(whole["gradient"] / 2, of_two["gradient"])


def _check_steps(one: Any, two: Any) -> None:
    assert one["losses"].shape == (20,)
    torch.testing.assert_close(two["losses"], one["losses"], rtol=1e-6, atol=0)
    torch.testing.assert_close(two["statistics"], one["statistics"], rtol=1e-6, atol=1e-9)


def test_twenty_steps_have_the_same_losses(one: Any, two: Any) -> None:
    _check_steps(one["steps"], two["steps"])
    assert one["steps"]["losses"][-1] < one["steps"]["losses"][0]


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["rmi", "image_weighted of 2", "boundary_relaxed of 2"])
def test_twenty_steps_of_other_losses(tmp_path: Path, criterion: str) -> None:
    arguments = {"criterion": criterion}
    two = run_together("support.shared_work:run_steps", tmp_path, arguments=arguments)
    _check_steps(shared_work.run_steps(arguments), two)


def test_an_evaluation_counts_each_image_once(one: Any, two: Any) -> None:
    for alone, spread in zip(one["evaluations"], two["evaluations"], strict=True):
        assert 0 < spread[0] < 1
        assert spread[:3] == alone[:3]  # to the last digit
        assert spread[3] == alone[3] == [1] * alone[2]
    assert two["evaluations"][0][4] == [(2, 5), (4, 5), (5, 5)]
