"""A command that looks like a training run to a sweep: ``python fake_run.py OUT [--resume] ...``.

It counts to ``--steps``, saves its count on SIGTERM and leaves with 75, and goes on from there.
``--fail-once`` and ``--die-once`` end it in its first attempt: by an error, by SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path


def main(words: list[str]) -> int:
    out = Path(words[words.index("--runtime.out") + 1])

    def option(name: str, default: float = 0.0) -> float:
        return float(words[words.index(name) + 1]) if name in words else default

    state = out / "state"
    if "--runtime.resume" not in words:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            print("the run folder is not empty", flush=True)
            return 1
        (out / "run.json").write_text(json.dumps({"config": {}, "recipe": "fake"}))
        (out / "epochs.csv").write_text("epoch,step,loss,seconds,miou\n")
    done = int(state.read_text()) if state.is_file() else 0
    with (out / "attempts").open("a") as file:
        file.write(f"{done}\n")
    attempt = len((out / "attempts").read_text().splitlines())
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    for step in range(done, int(option("--steps", 3))):
        if told:
            return 75
        time.sleep(option("--pause", 0.01))
        print(f"step {step + 1}", flush=True)
        state.write_text(str(step + 1))
        with (out / "epochs.csv").open("a") as file:
            file.write(f"{step + 1},{step + 1},1.0,0.5,{option('--value') * (step + 1):.4f}\n")
        if attempt == 1 and step == 1 and "--fail-once" in words:
            print("broken on purpose", flush=True)
            return 3
        if attempt == 1 and step == 1 and "--die-once" in words:
            os.kill(os.getpid(), signal.SIGKILL)
    if "--refuse" in words:
        print("hierseg: no such setting", flush=True)
        return 2
    if "--fail" in words:
        print("never any good", flush=True)
        return 4
    return 75 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
