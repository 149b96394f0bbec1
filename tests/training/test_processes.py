"""`hierseg train` in several processes: one run, one message."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from hierseg.cli import main
from hierseg.errors import SilentError, UsageError, UserError
from hierseg.processes import Launch, count_processes, only_first_speaks, own_rank
from support.together import launch

SMALL = {
    "data.crop": "96x96",
    "data.workers": "0",
    "data.color-jitter": "0",
    "runtime.precision": "fp32",
    "runtime.device": "cpu",
    "runtime.log-every": "1",
    "optim.epochs": "1",
    "optim.warmup-steps": "1",
}


def _flags(root: Path, out: Path, *more: str) -> list[str]:
    values = {"data.name": "folder", "data.root": str(root), "runtime.out": str(out), **SMALL}
    flags = [word for name, value in values.items() for word in (f"--{name}", value)]
    return ["train", "streets-lite0", "--model.no-pretrained", *flags, *more]


def _run_patched(patch: str, *flags: str) -> list[subprocess.CompletedProcess[str]]:
    """Two processes of the command, in which ``patch`` is run when a step is asked for."""
    code = f"""\
import os, signal, sys
from hierseg.cli import main
from hierseg.errors import UserError
from hierseg.training.step import Stepper

own = Stepper.step

def step(self, group):
    rank, number = int(os.environ["RANK"]), self._state.progress.step
{patch}
    return own(self, group)

Stepper.step = step
sys.exit(main(sys.argv[1:]))
"""
    return launch([sys.executable, "-c", code, *flags])


@pytest.mark.slow
def test_a_process_that_fails_ends_all_with_one_sentence(tiny_data: Path, tmp_path: Path) -> None:
    patch = (
        '    if rank == 1 and number == 1: raise UserError("street_7.png is no image; mend it.")'
    )
    ended = _run_patched(patch, *_flags(tiny_data, tmp_path / "run", "--data.batch", "1"))
    assert [done.returncode for done in ended] == [1, 1]
    said = "".join(done.stdout + done.stderr for done in ended)
    assert said.count("hierseg: street_7.png is no image; mend it.") == 1
    assert said.count("hierseg: ") == 1
    assert "Traceback" not in said
    assert "GLHF" not in said


@pytest.mark.slow
def test_a_process_that_is_killed_is_missed_by_one_sentence(
    tiny_data: Path, tmp_path: Path
) -> None:
    patch = "    if rank == 1 and number == 1: os.kill(os.getpid(), signal.SIGKILL)"
    ended = _run_patched(patch, *_flags(tiny_data, tmp_path / "run", "--data.batch", "1"))
    assert [done.returncode for done in ended] == [1, -signal.SIGKILL]
    said = "".join(done.stdout + done.stderr for done in ended)
    assert said.count("hierseg: ") == 1
    assert "lost another one" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_at_the_same_step(
    tiny_data: Path, tmp_path: Path
) -> None:
    patch = "    if rank == 1 and number == 0: os.kill(os.getpid(), signal.SIGUSR1)"
    ended = _run_patched(patch, *_flags(tiny_data, tmp_path / "run", "--data.batch", "1"))
    assert [done.returncode for done in ended] == [75, 75]
    said = "".join(done.stderr for done in ended)
    assert said.count("hierseg: stopped by ") == 1
    assert "after step 1, which is saved" in said
    flags = _flags(tiny_data, tmp_path / "run", "--data.batch", "1", "--runtime.resume")
    resumed = launch([sys.executable, "-m", "hierseg", *flags])
    assert [done.returncode for done in resumed] == [0, 0], resumed[0].stderr
    assert _column(tmp_path / "run" / "steps.csv", "step") == [1, 2, 3]


@pytest.mark.slow
def test_torchrun_trains_as_one_process_with_twice_the_batch(
    tiny_data: Path, tmp_path: Path
) -> None:
    """The data, the schedule and the journal; dropout alone differs."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", "-m", "hierseg"]
    for out, prefix, batch in (
        ("two", torchrun, "1"),
        ("one", [sys.executable, "-m", "hierseg"], "2"),
    ):
        flags = _flags(tiny_data, tmp_path / out, "--data.batch", batch)
        done = subprocess.run(
            [*prefix, *flags], capture_output=True, text=True, env=_alone(), timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("the run is in") == 1
    two, one = (tmp_path / out / "steps.csv" for out in ("two", "one"))
    assert _column(two, "lr") == _column(one, "lr")
    assert _column(two, "step") == [1, 2, 3]
    assert _column(two, "loss") == pytest.approx(_column(one, "loss"), rel=0.05)
    assert len(_column(tmp_path / "two" / "epochs.csv", "miou")) == 1
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2


def _alone() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _column(path: Path, name: str) -> list[float]:
    with path.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_torchrun_says_which_process_this_is() -> None:
    env = {"TORCHELASTIC_RUN_ID": "x", "RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1"}
    found = Launch.find({**env, "LOCAL_WORLD_SIZE": "8"})
    assert found == Launch(9, 16, 1, 8, "torchrun")
    assert found.machines == 2


def test_slurm_says_which_process_this_is() -> None:
    job = {"SLURM_JOB_ID": "3", "SLURM_NTASKS": "16", "SLURM_NNODES": "2", "SLURM_PROCID": "9"}
    step = {"SLURM_STEP_NUM_TASKS": "16", "SLURM_STEP_NUM_NODES": "2", "SLURM_LOCALID": "1"}
    found = Launch.find({**job, **step})
    assert found == Launch(9, 16, 1, 8, "slurm")
    assert found.machines == 2
    uneven = Launch.find({**job, **step, "SLURM_STEP_NUM_TASKS": "3"})
    assert (uneven.local_processes, uneven.machines) == (2, 2)
    # A script without srun is one process, however many tasks its job has.
    assert Launch.find(job) == Launch()
    assert Launch.find({}) == Launch()


@pytest.mark.slow
def test_srun_starts_one_run(tiny_data: Path, tmp_path: Path) -> None:
    code = dedent(
        """
        import os, sys
        rank = os.environ["RANK"]
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
            os.environ.pop(name)
        os.environ |= {"SLURM_JOB_ID": "3", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": rank,
                       "SLURM_LOCALID": rank, "SLURM_NTASKS": "8", "SLURM_STEP_NUM_NODES": "1"}
        from hierseg.cli import main
        sys.exit(main(sys.argv[1:]))
        """
    )
    flags = _flags(tiny_data, tmp_path / "run", "--data.batch", "1")
    ended = launch([sys.executable, "-c", code, *flags])
    assert [done.returncode for done in ended] == [0, 0], ended[0].stderr
    assert _column(tmp_path / "run" / "steps.csv", "step") == [1, 2, 3]


def test_alone_there_is_one_process() -> None:
    assert (count_processes(), own_rank()) == (1, 0)


@only_first_speaks()
def _complain(rank: str) -> None:
    print(rank)
    raise UsageError("no data; give --data.root.")


def test_before_they_have_joined_the_first_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    for rank, kind in (("0", UsageError), ("1", SilentError)):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(UserError) as caught:
            _complain(rank)
        assert type(caught.value) is kind
        assert caught.value.exit_status == 2
    assert capsys.readouterr().out == "0\n"


def test_other_commands_complain_in_every_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "1")
    for command, lines in (("train", 0), ("samples", 1)):
        assert main([command]) == 2
        assert capsys.readouterr().err.count("name the recipe first") == lines
