"""Seconds until the package is imported and until help is printed, against importing torch.

Each is the best of five fresh processes.
"""

from __future__ import annotations

import subprocess
import sys
import time

COMMANDS = {
    "import torch": ["-c", "import torch"],
    "import hierseg": ["-c", "import hierseg"],
    "hierseg --help": ["-m", "hierseg", "--help"],
    "hierseg predict --help": ["-m", "hierseg", "predict", "--help"],
    "hierseg train --help": ["-m", "hierseg", "train", "streets-lite0", "--help"],
}


def measure(arguments: list[str], repeats: int = 5) -> float:
    """Best wall-clock seconds of several fresh interpreters."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    torch_seconds = measure(COMMANDS["import torch"])
    for name, arguments in COMMANDS.items():
        seconds = measure(arguments)
        print(f"{name:24s} {seconds:6.2f} s   {seconds / torch_seconds:5.2f} of importing torch")


if __name__ == "__main__":
    main()
