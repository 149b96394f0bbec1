from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from hierseg.inference.memory import keep_freed_memory
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
    from hierseg.inference.memory import keep_freed_memory

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
