"""Runs Cityscapes' own pixel-level evaluation: a separate program that does not import hierseg.

It needs its own process, since the script reads the environment on import, keeps its settings in a
global, and ends the process on an error. It reads a job as JSON from standard input:
``predictions`` and ``truth``, paths in the same order; ``instances``, whether there are instance
ids beside the truth; and ``out``, the file of the script's results. It prints the pairs done, one
line each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Run the job from standard input."""
    job = json.load(sys.stdin)
    import numpy as np

    if not hasattr(np, "in1d"):  # removed in numpy 2.4, while the script still asks for it
        setattr(np, "in1d", np.isin)  # noqa: B010
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as script

    evaluate_pair = script.evaluatePair
    done = 0

    def evaluate_and_tell(*arguments: Any) -> Any:
        nonlocal done
        pixels = evaluate_pair(*arguments)
        done += 1
        print(done, flush=True)
        return pixels

    script.evaluatePair = evaluate_and_tell
    script.args.quiet = True
    script.args.JSONOutput = False
    script.args.colorized = False
    script.args.evalInstLevelScore = bool(job["instances"])
    found = script.evaluateImgLists(job["predictions"], job["truth"], script.args)
    Path(job["out"]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
