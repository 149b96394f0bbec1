"""`hierseg sweep`: the runs of a sweep file, here or on Ray."""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from hierseg.errors import UsageError, make_printable
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.sweeps import Driver, Outcome, Sweep

NOT_ALL = 3
SOME_FAILED = 1


def sweep(
    file: Path,
    /,
    dry_run: bool = False,
    out: Path | None = None,
    runner: Literal["local", "ray"] = "local",
    parallel: int | None = None,
    gpus_per_run: int | None = None,
    address: str | None = None,
    dashboard: bool = False,
    only: tuple[str, ...] | None = None,
    print_slurm: bool = False,
) -> int:
    """Run what a sweep file describes: a recipe with lists of values, or the original's CMD and
    HPARAMS.

    Each run has a folder with its command, log and status. The same command continues: runs that
    succeeded are not run again, even if the file has grown. Exit status: 0 all runs are done, 1
    some failed, 2 wrong usage, 3 the time budget was used up before.

    Args:
        file: Sweep file (YAML); docs/sweeps.md describes it.
        dry_run: Print the command of each run (-n) and start nothing.
        out: Folder of the runs; by default that of the file, or runs/ and the file's name.
        runner: local starts processes here; ray gives the runs to Ray.
        parallel: Number of runs at the same time; by default 1 with local, as many as fit with ray.
        gpus_per_run: Number of GPUs of a run, instead of the file's.
        address: Ray's address: auto for a cluster that this machine is part of, ray://HOST:10001;
            by default Ray is started here.
        dashboard: Start Ray here with its dashboard.
        only: Run only the runs of these names.
        print_slurm: Print a script for SLURM, an array with a task for each run that is not done.
    """
    from hierseg.sweeps import read_sweep

    planned = read_sweep(file, out)
    if gpus_per_run is not None:
        if gpus_per_run < 0:
            raise UsageError(f"--gpus-per-run {gpus_per_run} is negative; give 0 or more.")
        planned = replace(planned, resources=replace(planned.resources, gpus=gpus_per_run))
    _check_flags(planned)
    for flag, value in (("--address", address), ("--dashboard", dashboard or None)):
        if value is not None and runner != "ray":
            raise UsageError(f"{flag} is for Ray; add --runner ray, or leave it out.")
    for note in planned.notes:
        print(make_printable(f"hierseg: {note}"), file=sys.stderr)
    if dry_run:
        _print_commands(planned)
        return 0
    if print_slurm:
        from hierseg.sweeps import make_slurm_script

        print(make_slurm_script(planned), end="")
        return 0
    _require_names(planned, only)
    if parallel is not None and parallel < 1:
        raise UsageError(f"--parallel {parallel} runs nothing; give 1 or more.")
    if runner == "ray":
        return _run_on_ray(planned, parallel, address, dashboard, only or ())
    return _run_here(planned, parallel or 1, only or ())


def _print_commands(planned: Sweep) -> None:
    """A line for each run, and how many there are."""
    from hierseg.sweeps import FINISHED, Places

    places = Places(planned.out).assign(planned.runs)
    for run, place in places:
        print(make_printable(run.show(place.path)))
    done = sum(place.find_state() in FINISHED for _, place in places)
    number = len(places)
    if planned.search is not None:
        print(f"{count(planned.search.samples, 'run')}, drawn one by one")
    else:
        print(count(number, "run") + (f", {done} done already" if done else ""))


def _run_here(planned: Sweep, parallel: int, only: tuple[str, ...]) -> int:
    from hierseg.sweeps import Driver, LocalRunner

    per_run = planned.resources.gpus
    gpus = _list_gpus() if per_run else []
    if per_run and len(gpus) < per_run * parallel:
        raise UsageError(
            f"{count(parallel, 'run')} at once need {per_run * parallel} GPUs, and this machine "
            f"has {len(gpus)}; give a smaller --parallel or --gpus-per-run."
        )
    return _drive(Driver(planned, LocalRunner(parallel, gpus, per_run), only=only))


def _run_on_ray(
    planned: Sweep,
    parallel: int | None,
    address: str | None,
    dashboard: bool,
    only: tuple[str, ...],
) -> int:
    from hierseg.commands.progress import announce
    from hierseg.sweeps import Driver, open_ray

    with announce("starting Ray"):
        opened = open_ray(address, dashboard)
    with opened as connection:
        runner = connection.make_runner(
            planned.resources, parallel, fits=planned.search is not None
        )
        return _drive(Driver(planned, runner, only=only))


def _drive(driver: Driver) -> int:
    """Run, and list what failed."""
    from hierseg.files import FolderLock

    out = driver.sweep.out
    if driver.only:  # tasks of one array share the folder
        outcome = driver.run()
    else:
        with FolderLock(out):
            outcome = driver.run()
    return _report(outcome, out)


def _report(outcome: Outcome, out: Path) -> int:
    done, failed = len(outcome.done), len(outcome.failed)
    parts = [f"{count(done, 'run')} done"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{outcome.left} left"] if outcome.left else []
    over = "the time budget is used up; " if outcome.is_over and outcome.left else ""
    print(make_printable(f"{over}{', '.join(parts)}; `hierseg runs {out}` shows them"))
    for path in outcome.failed:
        print(make_printable(f"failed: {path} (log: {path / 'log.txt'})"))
    if failed:
        return SOME_FAILED
    return NOT_ALL if outcome.left else 0


def _require_names(planned: Sweep, only: tuple[str, ...] | None) -> None:
    """UsageError for names that no run has."""
    from hierseg.sweeps import Places

    known = {place.path.name for _, place in Places(planned.out).assign(planned.runs)}
    for name in only or ():
        if name not in known:
            raise UsageError(f"--only {name}: the file has no such run; -n shows the commands.")


def _list_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` has them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _check_flags(planned: Sweep) -> None:
    """UsageError for flags that a command other than train has not; training's are checked as the
    file is read.
    """
    from hierseg.commands.table import COMMANDS

    if planned.is_translated:
        return
    for command in {run.command for run in planned.runs} - {"train"}:
        known = _list_flags(COMMANDS[command].load())
        for run in planned.runs:
            for word in run.words if run.command == command else ():
                if word.startswith("--") and word not in known:
                    raise UsageError(f"{planned.path}: `hierseg {command}` has no flag {word}.")


def _list_flags(function: Any) -> set[str]:
    names = list(inspect.signature(function).parameters)
    for hint in get_type_hints(function).values():
        names += [field.name for field in fields(hint)] if is_dataclass(hint) else []
    return {"--" + name.rstrip("_").replace("_", "-") for name in names}
