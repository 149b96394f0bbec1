"""What the variants of `paper_table.py` cost, in training and when they are run, side by side.

    python experiments/paper_costs.py --out runs/paper-table [--rounds 5]

adds `OUT/paper_costs.csv`, a line for each variant and set of scales: giga-operations an image of a
training step and of an image that is run, counted by torch's FlopCounterMode on the meta device,
which holds no numbers (a multiplication and an addition are two; the backward pass counts twice the
forward one, as the counter takes grouped convolutions for dense ones there), and processor seconds
of one thread for both, all variants in turns, the best of the rounds. Random weights and pixels:
the time is the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ending import run_main
from hierseg.assembly import build_criterion
from hierseg.config import Experiment
from hierseg.labels import CAMVID
from hierseg.models import SegmentationNetwork, create_model
from hierseg.recipes import get_recipe
from hierseg.sweeps.resolving import apply_settings
from paper_table import VARIANTS
from run_rows import add_row

CROP, FRAME, BATCH = (176, 240), (180, 240), 4
CSV = "paper_costs.csv"


def describe(variant: str) -> Experiment:
    """The experiment of a variant."""
    return apply_settings(get_recipe("camvid-lite0"), VARIANTS[variant].settings)


def create(experiment: Experiment, device: str = "cpu") -> SegmentationNetwork:
    """Its network, of random weights."""
    torch.manual_seed(0)
    with torch.device(device):
        return create_model(experiment.model.name, num_classes=CAMVID.num_classes)


def count_step(experiment: Experiment) -> float:
    """Giga-operations of a training step, an image."""
    network = create(experiment, "meta").train()
    image = torch.empty(2, 3, *CROP, device="meta")  # batch norms want two
    with FlopCounterMode(display=False) as counter:
        network(image)
    return 3 * counter.get_total_flops() / len(image) / 1e9


def count_run(experiment: Experiment, scales: tuple[float, ...]) -> float:
    """Giga-operations of an image that is run."""
    network = create(experiment, "meta").eval()
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        network(torch.empty(1, 3, *FRAME, device="meta"), scales)
    return counter.get_total_flops() / 1e9


def make_step(experiment: Experiment) -> Callable[[], object]:
    """A training step, with the loss and the precision of the recipe."""
    network = create(experiment).train()
    criterion = build_criterion(experiment, CAMVID)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    image = torch.randint(0, 256, (BATCH, 3, *CROP), dtype=torch.uint8)
    labels = torch.randint(0, CAMVID.num_classes, (BATCH, CROP[0] // 16, CROP[1] // 16))
    labels = labels.repeat_interleave(16, 1).repeat_interleave(16, 2)
    bf16 = experiment.runtime.precision == "bf16"

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = network(image)
        criterion(output, labels)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def make_run(experiment: Experiment, scales: tuple[float, ...]) -> Callable[[], object]:
    """An image that is run."""
    network = create(experiment).eval()
    image = torch.randint(0, 256, (1, 3, *FRAME), dtype=torch.uint8)
    return torch.inference_mode()(lambda: network(image, scales))


def time_in_turns(actions: dict[Any, Callable[[], object]], rounds: int) -> dict[Any, float]:
    """Fewest processor seconds of each, after one that does not count."""
    taken: dict[Any, list[float]] = {key: [] for key in actions}
    for turn in range(rounds + 1):
        for key, action in actions.items():
            start = time.process_time()
            action()
            if turn:
                taken[key].append(time.process_time() - start)
    return {key: min(seconds) for key, seconds in taken.items()}


def main() -> None:
    """Measure, and write the lines anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the csv")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    experiments = {name: describe(name) for name in VARIANTS}
    steps = time_in_turns(
        {name: make_step(one) for name, one in experiments.items()}, arguments.rounds
    )
    keys = [(name, scales) for name, one in VARIANTS.items() for scales in one.scales]
    runs = time_in_turns(
        {key: make_run(experiments[key[0]], key[1]) for key in keys}, arguments.rounds
    )
    path = arguments.out / CSV
    path.unlink(missing_ok=True)
    for name, scales in keys:
        row = {"variant": name, "scales": " ".join(f"{scale:g}" for scale in scales)}
        row["step_gflop"] = f"{count_step(experiments[name]):.2f}"
        row["step_seconds"] = f"{steps[name]:.3f}"
        row["run_gflop"] = f"{count_run(experiments[name], scales):.2f}"
        row["run_seconds"] = f"{runs[name, scales]:.4f}"
        add_row(path, row)
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    run_main(main)
