from __future__ import annotations

import errno
import importlib
import math
import mmap
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hierseg.engines import memory
from hierseg.errors import lacks_memory

CODE = """
import resource, sys, torch
from hierseg.engines.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**23); before = faults()
for _ in range(10):
    torch.ones(2**23)
print(faults() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not the GNU C library")
def test_freed_memory_is_used_again() -> None:
    faults = [
        int(
            subprocess.run(
                [sys.executable, "-c", CODE, how], capture_output=True, check=True
            ).stdout
        )
        for how in ("keep", "leave")
    ]
    pages = 10 * 2**25 // 4096
    assert faults[0] < pages / 5  # one block more than the first
    assert faults[1] > 2 * faults[0]


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from hierseg.engines.memory import keep_freed_memory

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


def _machine(
    root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], limit: int = -1
) -> None:
    """A machine whose /proc and /sys/fs/cgroup hold these files."""
    monkeypatch.setattr(memory, "_PROC", root / "proc")
    monkeypatch.setattr(memory, "_GROUPS", root / "sys")
    resource = importlib.import_module("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    files = {"proc/meminfo": "MemTotal: 9999 kB\nMemAvailable:  8000 kB\n", **files}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


V1 = {
    "proc/self/cgroup": "3:cpu:/\n4:memory:/box/one\n",
    "sys/memory/box/one/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/memory/box/one/memory.usage_in_bytes": "5\n",
    "sys/memory/box/memory.limit_in_bytes": "5000000\n",
    "sys/memory/box/memory.usage_in_bytes": "4000000\n",
    "sys/memory/box/memory.stat": "inactive_file 7\ntotal_inactive_file 1000\n",
}
V2 = {
    "proc/self/cgroup": "0::/user/me\n",
    "sys/user/me/memory.max": "max\n",
    "sys/user/memory.max": "3000000\n",
    "sys/user/memory.current": "1000000\n",
    "sys/user/memory.stat": "anon 4\ninactive_file 500\n",
}


@pytest.mark.parametrize(
    ("files", "limit", "expected"),
    [
        ({}, -1, 8000 * 1024),
        (V1, -1, 1_001_000),
        # As in a container, which shows its own group as the root.
        ({"proc/self/cgroup": "0::/../x\n", "sys/memory.max": "2000", "sys/memory.current": "500"},
         -1, 1500),
        (V2, -1, 2_000_500),
        ({"proc/self/status": "VmPeak: 9 kB\nVmSize:   100 kB\n"}, 300 * 1024, 200 * 1024),
        ({"proc/self/status": "VmSize:   400 kB\n"}, 300 * 1024, 0),
        ({"proc/meminfo": "nothing\n"}, -1, math.inf),
    ],
)  # fmt: skip
def test_free_memory_is_the_least_that_anything_leaves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    limit: int,
    expected: float,
) -> None:
    _machine(tmp_path, monkeypatch, files, limit)
    assert memory.read_free_memory() == expected


def test_this_machine_has_memory() -> None:
    assert 1e6 < memory.read_free_memory("cpu") < 1e14


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't a"),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libx.so: failed to map segment: Cannot allocate memory"),
    ],
)
def test_want_of_memory_is_known_by_its_words(error: Exception) -> None:
    assert lacks_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left"),
        RuntimeError("DataLoader worker is killed by signal: Bus error. out of shared memory"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("unsupported memory format option ChannelsLast"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("a memory of better days"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_other_failures_are_not_want_of_memory(error: Exception) -> None:
    assert not lacks_memory(error)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not the GNU C library")
def test_what_is_freed_goes_back_where_memory_is_tight(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[int, int]] = []
    monkeypatch.setattr(memory, "_set_malloc", lambda options: said.append(options) or True)
    with memory.returning_freed_memory():
        assert said == []  # it does anyhow
    monkeypatch.setattr(memory, "_is_keeping", False)
    memory.keep_freed_memory()
    with pytest.raises(KeyError), memory.returning_freed_memory():
        raise KeyError
    assert said == [memory._KEEPING, memory._RETURNING, memory._KEEPING]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_the_peak_counts_from_where_it_was_forgotten() -> None:
    def take(megabytes: int) -> None:
        # Not from the C library, which may keep memory that is freed.
        with mmap.mmap(-1, megabytes * 2**20) as pages:
            for start in range(0, len(pages), mmap.PAGESIZE):
                pages[start] = 1

    take(300)
    memory.forget_peak()
    start = memory.read_peak()
    take(100)
    assert 80 * 2**20 < memory.read_peak() - start < 200 * 2**20


def test_the_room_is_what_the_limit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "read_free_memory", lambda _: 1000.0)
    monkeypatch.setattr(memory, "read_taken_memory", lambda _: 300.0)
    assert memory.read_room("cpu", None) == 1000
    assert memory.read_room("cpu", 500) == 200
    assert memory.read_room("cpu", 5000) == 1000
