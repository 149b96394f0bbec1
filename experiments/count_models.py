"""Parameters and floating point operations of every network: the table of docs/models.md.

    python experiments/count_models.py [PATTERN]

Counted by torch's FlopCounterMode on the meta device, which holds no numbers: an image of
1024x2048, one scale and 0.5 1 2. A multiplication and an addition are two operations; what is no
convolution and no matrix product counts nothing.
"""

from __future__ import annotations

import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

from ending import run_main
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model, describe_model, list_models

SIZE = (1024, 2048)
SCALES = (0.5, 1.0, 2.0)


def count_flops(network: SegmentationNetwork, scales: tuple[float, ...]) -> float | None:
    """Tera-operations for one image; None where the network cannot run those scales."""
    fixed = getattr(network.fusion, "scales", None)
    if fixed is not None and tuple(sorted(scales)) != fixed:
        return None
    # With gradients, or a large image would be run in bands, which the meta device cannot.
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        network(torch.empty(1, 3, *SIZE, device="meta"), scales)
    return counter.get_total_flops() / 1e12


def row_of(name: str) -> str:
    """One row of the table in Markdown."""
    with torch.device("meta"):
        network = create_model(name).eval()
    parameters = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    one, three = (count_flops(network, scales) for scales in ((1.0,), SCALES))
    shown = " | ".join("-" if value is None else f"{value:.2f}" for value in (one, three))
    return f"| `{name}` | {describe_model(name).summary} | {parameters:.1f} | {shown} |"


def main() -> None:
    """Print a row for each network that matches the pattern, as it is counted."""
    print("| network | what it is | parameters (M) | TFLOPs, one scale | TFLOPs, 0.5 1 2 |")
    print("|---|---|---:|---:|---:|")
    for name in list_models(sys.argv[1] if len(sys.argv) > 1 else "*"):
        print(row_of(name), flush=True)


if __name__ == "__main__":
    run_main(main)
