"""`hierseg train sdcnet`: learn the flow between frames from clips."""

from __future__ import annotations

from hierseg.errors import UsageError, make_printable
from hierseg.propagation import SdcNetExperiment


def train_sdcnet(experiment: SdcNetExperiment) -> None:
    """Train SDC-Net on clips, and print the folder of its checkpoints."""
    from hierseg.commands.progress import announce, show_progress

    for flag, path in (
        ("--data.root", experiment.data.root),
        ("--data.val-root", experiment.data.val_root),
    ):
        if path is not None and not path.is_dir():
            raise UsageError(f"{flag}: the folder {path} does not exist; check the path.")
    with announce("loading torch"):
        from hierseg.propagation import Watch
        from hierseg.propagation import train_sdcnet as run

    with show_progress("training") as on_step:
        folder = run(experiment, Watch(on_step, lambda line: print(make_printable(line))))
    print(make_printable(f"the run is in {folder}; use it as --flow sdcnet:{folder}"))
