"""Run the benchmarks of speed, throughput and memory: ``python -m benchmarks [NAME ... | all]``."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

USUAL = ("engines", "folder", "memory")
"""Those that are run where none is named; together at most 20 minutes on two cores."""
ASKING = ("gpu", "ray_overhead", "two_commits")
"""Those that need a GPU, Ray or an argument, and are no part of all."""


def main() -> int:
    """Each benchmark in a process of its own, so that none inherits another's memory."""
    known = sorted(
        m.name
        for m in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not m.name.startswith("_")
    )
    chosen = sys.argv[1:] or list(USUAL)
    if chosen == ["all"]:
        chosen = [name for name in known if name not in ASKING]
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are {', '.join(known)}.")
        return 2
    status = 0
    for name in chosen:
        print(f"== {name}", flush=True)
        status |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
