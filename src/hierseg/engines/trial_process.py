"""The other process of a trial: ``python -m hierseg.engines.trial_process FOLDER``.

It reads ``network.pt`` and ``job.json`` there. For each engine it writes NAME.begun at the start,
NAME.npz with labels and confidence, and NAME.json with seconds and bytes, or why there is no
result.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hierseg.engines.candidates import Candidate
from hierseg.engines.memory import forget_peak, read_peak, read_resident, trim_memory
from hierseg.engines.torch_engine import TorchEngine
from hierseg.engines.trial import REFERENCE
from hierseg.files import write_json
from hierseg.options import RunOptions

RUNS = 3
LONG = 4.0
"""Seconds in which runs are repeated; slower engines get fewer runs."""


def main(folder: Path) -> None:
    """Run the engines that the job names."""
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    # Written by the process that started this one, into a folder of its own.
    content = torch.load(folder / "network.pt", weights_only=False)
    network = content["network"].eval().to(content["device"])
    image = content["image"].to(content["device"])
    options = RunOptions(scales=tuple(job["scales"]))
    for name in job["names"]:
        (folder / f"{name}.begun").touch()
        trim_memory()
        before = read_resident()
        try:
            runner = None
            if name != REFERENCE:
                runner = Candidate(**job["makers"][name]).make(network)
            made = read_resident()
            forget_peak()
            found = run(TorchEngine(network, runner=runner), image, options)
        except Exception as error:  # whatever a library raises, the next engine may work
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            write_json(folder / f"{name}.json", {"error": said[:200]})
            continue
        np.savez(folder / f"{name}.npz", labels=found[1], confidence=found[2])
        held, running = max(0, made - before), max(0, read_peak() - made)
        if image.device.type != "cpu":  # what is resident says nothing of the GPU's memory
            held = running = 0
        write_json(folder / f"{name}.json", {"seconds": found[0], "held": held, "running": running})


def run(engine: TorchEngine, image: Tensor, options: RunOptions) -> tuple[float, Any, Any]:
    """The fewest seconds of several runs after a first one; (h, w) labels and confidence."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        logits = engine.run(image, options).logits
        if logits.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        # Plain modules have no preparation that would matter in so long a run.
        if sum(times[1:] if engine.runner is not None else times) > LONG:
            break
    confidence, labels = logits[0].float().softmax(dim=0).max(dim=0)
    return min(times[1:] or times), labels.to(torch.uint8).cpu().numpy(), confidence.cpu().numpy()


def _end_with(parent: int) -> None:
    """End when the parent process is gone, whatever a library is doing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
