"""Groups of batches from the loader, and failures of its processes as errors."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from hierseg.data import watching
from hierseg.engines import lacks_memory
from hierseg.errors import UserError

Batch = TypeVar("Batch")


def group_batches(
    batches: Iterable[Batch], size: int, look: Callable[[float], None] | None = None
) -> Iterator[list[Batch]]:
    """Groups of ``size`` batches in order; the last may be smaller. While a group is waited for,
    ``look`` is called with the seconds so far.
    """

    def watch() -> AbstractContextManager[None]:
        return nullcontext() if look is None else watching(look)

    with watch():
        iterator = iter(batches)
    while True:
        with watch():
            group = list(itertools.islice(iterator, size))
        if not group:
            return
        yield group


@contextmanager
def naming_failures(cure: str = "continue with --runtime.resume") -> Iterator[None]:
    """Turn torch's errors about a dead loader process, which come at any point, and about lacking
    memory into a UserError.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        said = str(error)
        if isinstance(error, UserError) or (isinstance(error, OSError) and not _is_refused(error)):
            raise
        if _lacks_shared_memory(said):
            raise UserError(
                "the memory through which loading processes pass images (/dev/shm) is too "
                f"small; give --data.workers 0, or a larger /dev/shm (docker run --shm-size 2g), "
                f"and {cure}."
            ) from error
        if isinstance(error, OSError) or lacks_memory(error):
            raise UserError(
                "there is not enough memory for a step; give a smaller --data.batch (and "
                "--optim.accumulate) or --data.crop, --model.grad-checkpoint, or fewer "
                "--data.workers."
            ) from error
        if "DataLoader worker" not in said:
            raise
        raise UserError(
            "a process that loads images died, killed perhaps by the system for want of memory; "
            f"give fewer --data.workers and {cure}."
        ) from error


def _is_refused(error: OSError) -> bool:
    """Whether the system refuses a process or memory for one."""
    return error.errno in (errno.ENOMEM, errno.EAGAIN)


def _lacks_shared_memory(said: str) -> bool:
    """Whether torch says that shared memory is used up: by a signal, or where a file is made."""
    return (
        "Bus error" in said
        or "shared memory" in said
        or ("</torch_" in said and "No space left" in said)
    )
