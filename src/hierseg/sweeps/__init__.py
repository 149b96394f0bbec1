"""Many runs: sweep files, their runs here or on Ray, and the table of any folder of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.sweeps.driver import Driver, Outcome, launch_hierseg
    from hierseg.sweeps.folder import FINISHED, Places, RunPlace
    from hierseg.sweeps.local import LocalRunner
    from hierseg.sweeps.plan import EarlyStop, PlannedRun, Resources, Sweep
    from hierseg.sweeps.reading import read_sweep
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "driver": ("Driver", "Outcome", "launch_hierseg"),
            "folder": ("FINISHED", "Places", "RunPlace"),
            "local": ("LocalRunner",),
            "plan": ("EarlyStop", "PlannedRun", "Resources", "Sweep"),
            "reading": ("read_sweep",),
        },
    )

__all__ = [
    "FINISHED",
    "Driver",
    "EarlyStop",
    "LocalRunner",
    "Outcome",
    "Places",
    "PlannedRun",
    "Resources",
    "RunPlace",
    "Sweep",
    "launch_hierseg",
    "read_sweep",
]
