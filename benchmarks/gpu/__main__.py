"""Everything that a GPU changes, measured and checked in at most four minutes.

    python -m benchmarks.gpu [--out gpu.json] [--budget 230] [--device cpu --small]

It needs a CUDA GPU, torch 2.6 or newer, and nothing but what ``pip install .`` brings: no download
and no data. Parity is against what the CPU computes in the same run, float32 with TF32 off. The
parts come in the order of their worth; one that would not fit into the budget is skipped, and says
so. The exit status is 1 where a check fails or there is no GPU. ``--device cpu --small`` runs every
part in miniature, which says that the script works and no more.
"""

from __future__ import annotations

import argparse
import platform
import sys
from functools import partial
from pathlib import Path

import torch

import hierseg
from benchmarks.gpu import inference, learning
from benchmarks.gpu.report import Part, Report
from benchmarks.gpu.setting import Setting


def list_parts(setting: Setting) -> list[Part]:
    """In the order in which they are run, with generous seconds."""
    parts = [
        ("matrix products", 10, inference.measure_peaks),
        ("parity with the CPU", 30, inference.check_parity),
        ("segmenting", 30, inference.time_inference),
        ("a training step", 40, learning.time_steps),
        ("a group of one process", 15, learning.try_process_group),
        ("streetlite", 15, inference.count_images),
        ("gated scales", 15, inference.time_gated),
        ("compiled", 60, inference.time_compiled),
    ]
    return [
        Part(name, 0 if setting.small else seconds, partial(measure, setting))
        for name, seconds, measure in parts
    ]


def describe_machine(setting: Setting) -> dict[str, object]:
    about: dict[str, object] = {
        "device": str(setting.device),
        "hierseg": hierseg.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "small": setting.small,
    }
    if setting.is_cuda:
        about["card"] = torch.cuda.get_device_name(setting.device)
        about["memory_GB"] = torch.cuda.get_device_properties(setting.device).total_memory / 1e9
        about["cuda"] = torch.version.cuda
    return about


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the JSON file")
    parser.add_argument("--budget", type=float, default=230.0, help="seconds for all parts")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="every part in miniature")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print(
            "this machine has no CUDA GPU, or torch sees none; --device cpu --small tries every "
            "part in miniature.",
            file=sys.stderr,
        )
        return 1
    if options.device == "cpu" and not options.small:
        print("on a CPU this takes hours; add --small.", file=sys.stderr)
        return 2
    # Parity is of float32; TF32 has a row of its own.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    setting = Setting(torch.device(options.device), options.small)
    report = Report(options.out, options.budget, describe_machine(setting))
    print(" ".join(f"{name} {value}" for name, value in report.content["about"].items()))
    for part in list_parts(setting):
        report.run(part)
    print(f"\n{options.budget - report.left:.0f} s; figures: {options.out}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
