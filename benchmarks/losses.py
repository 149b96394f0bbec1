"""Boundary relaxation and RMI against METHOD section 4 written down as it stands.

    python -m benchmarks.losses [--threads N]

19 classes, 1024x1024, forward and backward: best seconds of several rounds in which the two sides
take turns, and the memory each needs beyond the logits, their gradient's included. With one thread,
the default, it is processor time, which other processes on the machine change little; with more it
is the clock's. The labels are blobs; label noise, in which every pixel is beside a border, is the
worst case for relaxation.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.memory import peak_gigabytes
from hierseg.losses import BoundaryRelaxedLoss, RegionMutualInformation

CLASSES, SIDE, IGNORE = 19, 1024, 255
ROUNDS = 3
Loss = Callable[[Tensor, Tensor], Tensor]


def transcribe_relaxation(logits: Tensor, labels: Tensor) -> Tensor:
    """Boundary label relaxation with window 1 and bound 1, by a loop over images and classes."""
    total = logits.new_zeros(())
    for image, label in zip(logits, labels, strict=True):
        padded = functional.pad(label, [1] * 4, value=IGNORE)
        maps = []
        for class_ in [*range(CLASSES), IGNORE]:
            own = (padded == class_).float()[None]
            maps.append(functional.max_pool2d(own, 3, stride=1)[0])
        shares = torch.stack([member.sum() for member in maps])
        weights = 1 + (1 - shares / shares.sum())
        softmax = image.softmax(0)
        n, s = torch.zeros_like(maps[0]), torch.zeros_like(maps[0])
        for class_ in range(CLASSES):
            n = n + maps[class_]
            s = s + maps[class_] * softmax[class_]
        counted = n > 0
        logarithm = s.where(counted, 1.0).log()
        loss = torch.zeros_like(s)
        for class_ in range(CLASSES):
            loss = loss - maps[class_] * weights[class_] * logarithm / n.clamp(min=1)
        total = total + loss.sum() / (counted.sum() + 1)
    return total


def transcribe_rmi(logits: Tensor, labels: Tensor) -> Tensor:
    """0.5 * BCE + 0.5 * RMI with one-hot maps, unfolded neighbourhoods and an explicit inverse."""
    counted = (labels != IGNORE).float()[:, None]
    one_hot = functional.one_hot(labels.where(labels != IGNORE, 0), CLASSES).movedim(3, 1).float()
    bce = functional.binary_cross_entropy_with_logits(logits, one_hot, reduction="none")
    bce = (bce * counted).sum() / (counted.sum() + 1)
    identity = 5e-4 * torch.eye(9, dtype=torch.float64)
    vectors = []
    for maps in (one_hot * counted, logits.sigmoid() * counted + 1e-6):
        pooled = functional.avg_pool2d(maps, 4, 4, 2)
        windows = functional.unfold(pooled.flatten(0, 1)[:, None].double(), 3)
        vectors.append(windows - windows.mean(-1, keepdim=True))
    y, p = vectors
    s_yp = y @ p.mT
    m = y @ y.mT - s_yp @ torch.linalg.inv(p @ p.mT + identity) @ s_yp.mT
    diagonal = torch.linalg.cholesky(m + identity).diagonal(dim1=-2, dim2=-1)
    value = 0.5 * 2 * (diagonal + 1e-8).log().sum(-1) / 9
    return 0.5 * bce + 0.5 * value.view(len(labels), CLASSES).mean(0).sum()


SIDES: dict[str, tuple[Loss, Loss]] = {
    "boundary relaxation": (BoundaryRelaxedLoss(), transcribe_relaxation),
    "region mutual information": (RegionMutualInformation(), transcribe_rmi),
}


def draw(kind: str) -> tuple[Tensor, Tensor]:
    """Logits, and labels with a twentieth ignored: blobs of many sizes, or noise."""
    generator = torch.Generator().manual_seed(0)
    if kind == "noise":
        labels = torch.randint(0, CLASSES + 1, (1, SIDE, SIDE), generator=generator)
    else:
        field = torch.randn(1, CLASSES + 1, SIDE // 64, SIDE // 64, generator=generator)
        labels = functional.interpolate(field, (SIDE, SIDE), mode="bicubic").argmax(1)
    labels[labels == CLASSES] = IGNORE
    logits = torch.randn(1, CLASSES, SIDE, SIDE, generator=generator)
    logits += 2.0 * (torch.arange(CLASSES)[:, None, None] == labels[:, None])
    return logits.requires_grad_(), labels


def run(loss: Loss, logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Value and seconds of one forward and backward pass."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    logits.grad = None
    start = clock()
    value = loss(logits, labels)
    value.backward()
    return value.item(), clock() - start


def print_memory(name: str, side: int, kind: str) -> None:
    """Megabytes that a pass adds at its peak to a process that holds its inputs alone."""
    logits, labels = draw(kind)
    run(SIDES[name][side], logits[..., :64, :64].detach().requires_grad_(), labels[..., :64, :64])
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = peak_gigabytes()
    run(SIDES[name][side], logits, labels)
    print(round(1e3 * (peak_gigabytes() - before)))


def measure_memory(name: str, side: int, kind: str) -> int:
    """``print_memory`` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.losses", "--child", name, str(side), kind]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(name: str, kind: str) -> None:
    """Both sides in turns."""
    logits, labels = draw(kind)
    seconds: tuple[list[float], list[float]] = ([], [])
    values = [0.0, 0.0]
    for _ in range(ROUNDS):
        for side, loss in enumerate(SIDES[name]):
            values[side], taken = run(loss, logits, labels)
            seconds[side].append(taken)
    ours, formulas = min(seconds[0]), min(seconds[1])
    memory = [measure_memory(name, side, kind) for side in (0, 1)]
    print(
        f"{name}, {kind}: {ours:.2f} s against {formulas:.2f} s, {formulas / ours:.1f} times as "
        f"fast; {memory[0]} MB against {memory[1]} MB, a factor of {memory[1] / memory[0]:.1f}; "
        f"value {values[0]:.6g}, relative difference {abs(values[0] / values[1] - 1):.0e}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        name, side, kind = options.child
        print_memory(name, int(side), kind)
        return
    print(f"{options.threads} threads; logits of {CLASSES * SIDE**2 * 4 / 1e6:.0f} MB")
    compare("boundary relaxation", "blobs")
    compare("boundary relaxation", "noise")
    compare("region mutual information", "blobs")


if __name__ == "__main__":
    main()
