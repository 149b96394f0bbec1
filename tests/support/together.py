"""Run a function in several processes at once, as torchrun would, and collect what the first says.

A function is named ``module:function`` (modules below ``tests`` are importable) and takes a
dictionary of strings; what it returns is saved with torch.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

TESTS = Path(__file__).resolve().parents[1]


def launch(
    command: Sequence[str], processes: int = 2, **environment: str
) -> list[subprocess.CompletedProcess[str]]:
    """Run a command in so many processes that find each other, to their end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank),
                "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths), **environment,
            },
        )
        for rank in range(processes)
    ]  # fmt: skip
    ended = []
    try:
        for process in started:
            out, err = process.communicate(timeout=300)
            ended.append(subprocess.CompletedProcess(command, process.returncode, out, err))
    finally:
        for process in started:
            process.kill()
    return ended


def run_together(
    function: str, folder: Path, processes: int = 2, arguments: Mapping[str, str] | None = None
) -> Any:
    """What a function returns in the first of so many gloo processes."""
    out = folder / f"{function.replace(':', '-')}-{processes}.pt"
    command = [sys.executable, __file__, function, str(out), json.dumps(dict(arguments or {}))]
    for done in launch(command, processes):
        assert done.returncode == 0, done.stderr
    return torch.load(out, weights_only=True)


def main() -> None:
    """One of the processes."""
    function, out, arguments = sys.argv[1:]
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    module, name = function.split(":")
    result = getattr(importlib.import_module(module), name)(json.loads(arguments))
    if torch.distributed.get_rank() == 0:
        torch.save(result, out)
    torch.distributed.barrier()


if __name__ == "__main__":
    main()
