"""How the process' memory is managed; matters on CPUs."""

from __future__ import annotations

import ctypes
import platform

# <malloc.h> of the GNU C library.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
# The last two are oneDNN's, and Python's where the stack of a thread finds no room.
_LACK = ("memory", "bad_alloc", "could not create a primitive", "can't start new thread")
_TOP_PAD = 64 * 2**20


def keep_freed_memory() -> bool:
    """Let the C library keep large blocks that are freed, for the next that is asked for.

    By default it returns them to the kernel, which hands them out again page by page, zeroed: half
    a million page faults in a training step on a CPU, a sixth of its time (docs/log.md). Costs
    about a tenth more peak memory. Holds for the rest of the process.

    Returns:
        Whether it could be done: only with the GNU C library.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(
        libc.mallopt(option, value) == 1
        for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD))
    )


def lacks_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether it says that memory, a device's too, does not suffice; torch says so in words."""
    if isinstance(error, MemoryError):
        return True
    said = str(error).lower()
    return any(words in said for words in _LACK)
