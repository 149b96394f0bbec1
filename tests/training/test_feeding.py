from __future__ import annotations

import errno

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


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("could not create a primitive"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    ],
)
def test_memory_that_lacks_has_its_cure_however_it_is_said(error: Exception) -> None:
    with pytest.raises(UserError, match=r"memory for a step.*--data\.crop"), naming_failures():
        raise error


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
        "dataloader's workers are out of shared memory. Please try to raise your limit.",
        "Caught RuntimeError in DataLoader worker process 0.\nunable to write to file "
        "</torch_12_3>: No space left on device (28)",
        "unable to allocate shared memory(shm) for file </torch_1_2>: Resource unavailable",
    ],
)
def test_shared_memory_that_is_too_small_is_named(said: str) -> None:
    cure = r"/dev/shm\) is too small; give --data\.workers 0, or a larger /dev/shm"
    with pytest.raises(UserError, match=cure), naming_failures():
        raise RuntimeError(said)


def test_other_refusals_of_the_system_stay() -> None:
    with pytest.raises(PermissionError), naming_failures():
        raise PermissionError(errno.EACCES, "Permission denied")
