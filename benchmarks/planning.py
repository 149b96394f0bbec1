"""What `hierseg plan` says of a training step and an evaluation, against what they take on a CPU.

    python -m benchmarks.planning [--only NAME]

Each measurement is a process of its own: two training steps, or the evaluation of one image, on
random pixels, and its VmHWM as Linux reports it. The estimate is of what tensors take, with the
allocator's part, and what such a process takes before it has tensors; the last column leaves that
out of both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from hierseg.config import DataConfig, EvalConfig, Experiment, LossConfig, ModelConfig
from hierseg.labels import CITYSCAPES
from hierseg.size import Size

CASES = {
    "lite0-ocr-hier": (Size(512, 512), 2, "cross_entropy"),
    "hrnet18s-ocr-hier": (Size(256, 512), 2, "rmi"),
    "deeplabv3plus-resnet50-hier": (Size(192, 384), 2, "cross_entropy"),
}
LIMIT = 0.2


def describe(name: str) -> Experiment:
    """An experiment of one of the networks, at a size that takes seconds."""
    crop, batch, loss = CASES[name]
    return Experiment(
        model=ModelConfig(name=name, pretrained=False),
        data=DataConfig(name="cityscapes", crop=crop, batch=batch, workers=0),
        loss=LossConfig(main=loss, per_scale_weight=0.05),  # type: ignore[arg-type]
        eval=EvalConfig(scales=(0.5, 1.0, 2.0)),
    )


def run(name: str, what: str) -> None:
    """Train or evaluate here, and print bytes: before there are tensors, and at the peak."""
    import torch

    from benchmarks.memory import peak_gigabytes
    from hierseg import assembly as build
    from hierseg.engines import TorchEngine, keep_freed_memory
    from hierseg.options import RunOptions
    from hierseg.planning import read_resident
    from hierseg.training.optimizer import build_optimiser

    torch.manual_seed(0)
    experiment = describe(name)
    keep_freed_memory()
    torch.ones(64, 64).requires_grad_().matmul(torch.ones(64, 64)).sum().backward()
    before = read_resident()
    crop, batch = experiment.data.crop, experiment.data.batch
    network = build.assemble_network(experiment, CITYSCAPES)
    if what == "training":
        criterion = build.build_criterion(experiment, CITYSCAPES, network.align_corners)
        optimiser = build_optimiser(network, experiment.optim)
        for _ in range(2):
            image = torch.randint(0, 256, (batch, 3, *crop), dtype=torch.uint8)
            labels = torch.randint(0, 19, (batch, crop.height // 32, crop.width // 32))
            labels = labels.repeat_interleave(32, 1).repeat_interleave(32, 2)
            criterion(network(image), labels)["loss"].backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
    else:
        network.eval()
        image = torch.randint(0, 256, (1, 3, *crop), dtype=torch.uint8)
        TorchEngine(network).run(image, RunOptions(scales=experiment.eval.scales)).logits[0].argmax(
            0
        )
    print(before, round(peak_gigabytes() * 1e9))


def measure(name: str, what: str) -> tuple[int, int]:
    """``run`` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.planning", "--child", name, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    before, peak = done.stdout.split()
    return int(before), int(peak)


def compare(name: str, what: str) -> float:
    """Print one row; returns estimate over measurement, less 1."""
    from hierseg.planning import add_overheads, estimate_evaluation, estimate_training

    experiment = describe(name)
    if what == "training":
        estimate = estimate_training(experiment, CITYSCAPES)
    else:
        estimate = estimate_evaluation(experiment, CITYSCAPES, experiment.data.crop)
    before, peak = measure(name, what)
    said = add_overheads(estimate, before).total
    alone = (said - before) / (peak - before) - 1
    print(
        f"| {name} | {what} | {experiment.data.crop} | {estimate.total / 1e6:.0f} | "
        f"{said / 1e6:.0f} | {peak / 1e6:.0f} | {said / peak - 1:+.0%} | {alone:+.0%} |",
        flush=True,
    )
    return said / peak - 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run(*options.child)
        return 0
    print("| network | | size | tensors, MB | estimate | peak | | without the program |")
    print("|---|---|---|---|---|---|---|---|")
    names = [options.only] if options.only else list(CASES)
    rows = [compare(name, what) for name in names for what in ("training", "evaluation")]
    return int(max(map(abs, rows)) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
