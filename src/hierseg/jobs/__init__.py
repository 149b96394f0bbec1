"""Runs a network over many items, records what is done and skipped, and resumes after an
interruption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.jobs.clips import OVERLAY_MISSING, run_video
    from hierseg.jobs.elsewhere import Workers, run_elsewhere
    from hierseg.jobs.images import Elsewhere, run_folder
    from hierseg.jobs.job import Job, Policy, Source, interrupted_after
    from hierseg.jobs.on_ray import RayWorkers
    from hierseg.jobs.pipeline import Pixels
    from hierseg.jobs.progress import RunProgress
    from hierseg.jobs.ray_start import start_ray
    from hierseg.jobs.record_file import RecordFile
    from hierseg.jobs.recording import Recording, require_unrecorded
    from hierseg.jobs.run_page import write_run_page
    from hierseg.jobs.run_settings import RunSettings, describe_run
    from hierseg.jobs.spreading import Spreading
    from hierseg.jobs.summary import FILE, Summary
    from hierseg.jobs.worker import Hands, Report
    from hierseg.jobs.writers import LEGEND, NEEDS_SCALES, list_outputs, write_legend, write_outputs
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "clips": (
                "OVERLAY_MISSING",
                "run_video",
            ),
            "elsewhere": ("Workers", "run_elsewhere"),
            "images": ("Elsewhere", "run_folder"),
            "job": (
                "Job",
                "Policy",
                "Source",
                "interrupted_after",
            ),
            "on_ray": ("RayWorkers",),
            "pipeline": ("Pixels",),
            "progress": ("RunProgress",),
            "ray_start": ("start_ray",),
            "run_page": ("write_run_page",),
            "record_file": ("RecordFile",),
            "recording": ("Recording", "require_unrecorded"),
            "run_settings": (
                "RunSettings",
                "describe_run",
            ),
            "spreading": ("Spreading",),
            "summary": (
                "FILE",
                "Summary",
            ),
            "worker": ("Hands", "Report"),
            "writers": (
                "LEGEND",
                "NEEDS_SCALES",
                "list_outputs",
                "write_legend",
                "write_outputs",
            ),
        },
    )

__all__ = [
    "FILE",
    "LEGEND",
    "NEEDS_SCALES",
    "OVERLAY_MISSING",
    "Elsewhere",
    "Hands",
    "Job",
    "Pixels",
    "Policy",
    "RayWorkers",
    "RecordFile",
    "Recording",
    "Report",
    "RunProgress",
    "RunSettings",
    "Source",
    "Spreading",
    "Summary",
    "Workers",
    "describe_run",
    "interrupted_after",
    "list_outputs",
    "require_unrecorded",
    "run_elsewhere",
    "run_folder",
    "run_video",
    "start_ray",
    "write_legend",
    "write_outputs",
    "write_run_page",
]
