"""Free memory, and how the process manages its own."""

from __future__ import annotations

import ctypes
import importlib
import math
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from hierseg.errors import lacks_memory as lacks_memory

# Options of mallopt in <malloc.h> of the GNU C library, and their defaults.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_TOP_PAD = 64 * 2**20
_KEEPING = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_TOP_PAD: _TOP_PAD}
_RETURNING = {_M_MMAP_MAX: 65536, _M_TRIM_THRESHOLD: 128 * 2**10, _M_TOP_PAD: 0}
_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
_is_keeping = False


def keep_freed_memory() -> bool:
    """Let the C library keep freed large blocks for later allocations, for the rest of the process.

    By default it returns them to the kernel, which hands them out again page by page, zeroed: half
    a million page faults in a training step on a CPU, a sixth of its time (docs/log.md). Keeping
    them costs about a tenth more peak memory in training, and up to 0.7 times more in prediction;
    ``returning_freed_memory`` switches it off.

    Returns:
        Whether it was done, which needs the GNU C library.
    """
    global _is_keeping
    _is_keeping = _set_malloc(_KEEPING)
    return _is_keeping


@contextmanager
def returning_freed_memory() -> Iterator[None]:
    """Return freed memory to the kernel, now and within the context: slower, with less memory."""
    if not _is_keeping:
        yield
        return
    _set_malloc(_RETURNING)
    trim_memory()
    try:
        yield
    finally:
        trim_memory()
        _set_malloc(_KEEPING)


def trim_memory() -> None:
    """Return the C library's unused memory to the kernel."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _set_malloc(options: dict[int, int]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(option, value) == 1 for option, value in options.items())


def read_free_memory(device: torch.device | str = "cpu") -> float:
    """Bytes that this process may still allocate; infinite if unknown.

    On a CPU the smallest of what the machine, the control groups and the limit of addresses leave;
    on a GPU what is free there.
    """
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # Memory that torch has reserved but not used is free too.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return math.inf
    return max(0.0, min(_read_available(), _read_group_room(), _read_address_room()))


def read_room(device: torch.device | str, most: float | None) -> float:
    """Bytes that this process may still allocate, of at most so many that it may have in all (None
    for no limit but the machine's).
    """
    free = read_free_memory(device)
    return free if most is None else min(free, float(most) - read_taken_memory(device))


def read_resident() -> int:
    """Resident memory of this process in bytes, libraries included; 0 except on Linux."""
    found = re.search(r"^VmRSS:\s*(\d+) kB", _read(_PROC / "self/status"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def read_peak() -> int:
    """The most that this process has had resident since ``forget_peak``, in bytes; 0 except on
    Linux.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB", _read(_PROC / "self/status"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def forget_peak() -> None:
    """Let ``read_peak`` begin with what is resident now; nothing happens except on Linux."""
    with suppress(OSError):
        (_PROC / "self/clear_refs").write_text("5")


def read_taken_memory(device: torch.device | str = "cpu") -> float:
    """Bytes that this process has allocated; on a GPU those of its tensors there."""
    device = torch.device(device)
    if device.type == "cuda":
        return float(torch.cuda.memory_allocated(device))
    return float(read_resident())


def _read_available() -> float:
    found = re.search(r"^MemAvailable:\s*(\d+) kB", _read(_PROC / "meminfo"), re.MULTILINE)
    return int(found[1]) * 1024.0 if found else math.inf


def _read_address_room() -> float:
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows has no such limits
        return math.inf
    limit: int = resource.getrlimit(resource.RLIMIT_AS)[0]
    found = re.search(r"^VmSize:\s*(\d+) kB", _read(_PROC / "self/status"), re.MULTILINE)
    if limit == resource.RLIM_INFINITY or not found:
        return math.inf
    return limit - int(found[1]) * 1024.0


def _read_group_room() -> float:
    """Bytes that the control groups of this process, version 1 and 2, and their parents leave."""
    room = math.inf
    for line in _read(_PROC / "self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            names = ("memory.max", "memory.current", "inactive_file")
            roots = (_GROUPS, _GROUPS / "unified")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            roots = (_GROUPS / "memory", _GROUPS)
        else:
            continue
        for root in roots:
            # A container may show its own group as the root; a missing group limits nothing.
            below = root / path.lstrip("/")
            for group in (below, *below.parents):
                if group.is_relative_to(root):
                    room = min(room, _read_room_of(group, *names))
    return room


def _read_room_of(group: Path, limit: str, used: str, cached: str) -> float:
    most, now = _read(group / limit).strip(), _read(group / used).strip()
    if not most.isdigit() or not now.isdigit() or int(most) >= 2**60:  # "max", or version 1's word
        return math.inf
    found = re.search(rf"^{cached} (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
    # The page cache is counted as used, but is freed on demand.
    return int(most) - int(now) + (int(found[1]) if found else 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
