"""A script for SLURM: an array with a task for each unfinished run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from hierseg.errors import UserError
from hierseg.sweeps.folder import FINISHED, Places
from hierseg.sweeps.plan import Sweep

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={job}
#SBATCH --array=0-{last}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}
{more}#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
#SBATCH --output={out}/slurm-%A_%a.txt
# Add what your cluster asks for: --partition, --account, --time.
#
# A task that is preempted, or whose time is over, saves its run and queues it again.
# Submit it again to run what has failed; `hierseg runs {out}` shows how far all are.

cd {folder} || exit 1
runs=(
{names}
)
exec srun {python} -m hierseg sweep {file} --out {out} --only "${{runs[$SLURM_ARRAY_TASK_ID]}}"
"""


def make_slurm_script(sweep: Sweep) -> str:
    """The script for ``sbatch``.

    Raises:
        UserError: All runs are done, or the sweep draws its runs one by one.
    """
    if sweep.search is not None:
        raise UserError(
            f"{sweep.path} has a search, which cannot learn from an array's tasks; run it with "
            "`hierseg sweep` in one job, or with --runner ray."
        )
    places = Places(sweep.out).assign(sweep.runs)
    missing = [place.path.name for _, place in places if place.find_state() not in FINISHED]
    if not missing:
        raise UserError(f"all runs of {sweep.path} are done; there is nothing to queue.")
    resources, processes = sweep.resources, max(run.processes for run in sweep.runs)
    more = []
    gpus = resources.gpus or (processes if processes > 1 else 0)
    if gpus:
        more.append(f"#SBATCH --gres=gpu:{gpus}\n")
    if resources.memory is not None:
        more.append(f"#SBATCH --mem={resources.memory >> 20}M\n")
    return _SCRIPT.format(
        job=shlex.quote(sweep.path.stem),
        last=len(missing) - 1,
        cpus=resources.cpus or 4 * processes,
        more="".join(more),
        out=shlex.quote(str(sweep.out)),
        folder=shlex.quote(str(Path.cwd())),
        names="\n".join(f"  {shlex.quote(name)}" for name in missing),
        python=shlex.quote(sys.executable),
        file=shlex.quote(str(sweep.path)),
    )
