"""Groups of batches from the loader, and what becomes of its processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from hierseg.errors import UserError

Batch = TypeVar("Batch")


def group_batches(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Groups of so many, in order; the last may be smaller."""
    iterator = iter(batches)
    while group := list(itertools.islice(iterator, size)):
        yield group


@contextmanager
def naming_failures(cure: str = "continue with --runtime.resume") -> Iterator[None]:
    """Turn into a UserError what torch says of a process of the loader that died, which it does
    anywhere, and of memory that does not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise UserError(
                "there is not enough memory for a step; give a smaller --data.batch (and "
                "--optim.accumulate) or --data.crop, or --model.grad-checkpoint."
            ) from error
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "a process that loads images died, killed perhaps by the system for want of memory; "
            f"give fewer --data.workers and {cure}."
        ) from error
