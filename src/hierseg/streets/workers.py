"""Drawing scenes in several processes.

They are fresh interpreters and not multiprocessing's: a user's script that calls ``write_streets``
need then not guard its main module, and nothing is forked from a process that has threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import cv2

from hierseg.errors import UserError
from hierseg.processes import child_command, child_environment
from hierseg.streets.writing import Settings, write_scenes

_COMMAND = "from hierseg.streets.workers import work; work()"


def write_in_parallel(
    out: Path, settings: Settings, indices: list[int], workers: int, report: Callable[[], None]
) -> None:
    """Draw and write scenes in some processes; ``report`` is called after each scene."""
    lock = threading.Lock()
    processes: list[subprocess.Popen[str]] = []

    def serve(share: list[int]) -> None:
        process = _start()
        processes.append(process)
        task = {"out": str(out), "settings": asdict(settings), "indices": share}
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task))
        process.stdin.close()
        for line in process.stdout:
            message = json.loads(line)
            if "error" in message:
                raise UserError(message["error"])
            with lock:
                report()
        if process.wait() != 0:
            raise UserError(
                f"a process that draws scenes into {out} ended with status {process.returncode}; "
                "run the same command again to continue."
            )

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(serve, indices[i::workers]) for i in range(workers)]
        try:
            for future in futures:
                future.result()
        finally:
            for process in processes:
                process.terminate()


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        child_command("-c", _COMMAND),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def work() -> None:
    """What a process does: read a task from stdin, write a line to stdout for each scene."""
    cv2.setNumThreads(1)
    task = json.loads(sys.stdin.read())

    def report() -> None:
        print("{}", flush=True)

    try:
        write_scenes(Path(task["out"]), Settings(**task["settings"]), task["indices"], report)
    except UserError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    except (BrokenPipeError, KeyboardInterrupt):
        # Whoever asked is gone, or stops too and says so: there is nobody to tell.
        os._exit(1)
