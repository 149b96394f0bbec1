from __future__ import annotations

import pytest
import torch

from hierseg.errors import UserError
from hierseg.training.feeding import group_batches, naming_failures


def test_the_last_group_may_be_smaller() -> None:
    assert list(group_batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(group_batches(range(4), 1)) == [[0], [1], [2], [3]]
    assert list(group_batches(iter(()), 2)) == []


def test_too_little_memory_is_one_sentence() -> None:
    said = r"memory.*--data\.batch.*--model\.grad-checkpoint"
    with pytest.raises(UserError, match=said), naming_failures():
        torch.empty(2**60)
    with pytest.raises(RuntimeError, match="something else"), naming_failures():
        raise RuntimeError("something else")


def test_a_process_that_dies_has_the_cure_of_its_moment() -> None:
    said = r"images died.*--data\.workers and start it again\.$"
    with pytest.raises(UserError, match=said), naming_failures("start it again"):
        raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
