"""Many runs: sweep files, their runs on this machine or on Ray, and tables of folders of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.sweeps.comparison import Comparison
    from hierseg.sweeps.driver import Driver, Outcome, launch_hierseg
    from hierseg.sweeps.folder import FINISHED, Places, RunPlace
    from hierseg.sweeps.local import LocalRunner
    from hierseg.sweeps.on_ray import RayRunner, open_ray
    from hierseg.sweeps.page import make_page
    from hierseg.sweeps.plan import EarlyStop, PlannedRun, Resources, Sweep
    from hierseg.sweeps.reading import read_sweep
    from hierseg.sweeps.records import RunRecord, read_runs
    from hierseg.sweeps.slurm import make_slurm_script
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "comparison": ("Comparison",),
            "driver": ("Driver", "Outcome", "launch_hierseg"),
            "folder": ("FINISHED", "Places", "RunPlace"),
            "local": ("LocalRunner",),
            "on_ray": ("RayRunner", "open_ray"),
            "page": ("make_page",),
            "plan": ("EarlyStop", "PlannedRun", "Resources", "Sweep"),
            "reading": ("read_sweep",),
            "records": ("RunRecord", "read_runs"),
            "slurm": ("make_slurm_script",),
        },
    )

__all__ = [
    "FINISHED",
    "Comparison",
    "Driver",
    "EarlyStop",
    "LocalRunner",
    "Outcome",
    "Places",
    "PlannedRun",
    "RayRunner",
    "Resources",
    "RunPlace",
    "RunRecord",
    "Sweep",
    "launch_hierseg",
    "make_page",
    "make_slurm_script",
    "open_ray",
    "read_runs",
    "read_sweep",
]
