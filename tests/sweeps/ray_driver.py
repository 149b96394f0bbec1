"""A driver of fake runs on a Ray of its own: ``python ray_driver.py OUT RUN...``, a run as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hierseg.sweeps import Driver, Resources, open_ray
from sweeps.fakes import fake, launch_fake, make_sweep


def main() -> None:
    """Run the sweep."""
    runs = [fake(name, *words) for name, words in map(json.loads, sys.argv[2:])]
    sweep = make_sweep(Path(sys.argv[1]), *runs, retries=1)
    with open_ray() as connection:
        runner = connection.make_runner(Resources())
        outcome = Driver(sweep, runner, launch_fake, patience=20).run()
    print(json.dumps({"done": len(outcome.done), "failed": len(outcome.failed)}))


if __name__ == "__main__":
    main()
