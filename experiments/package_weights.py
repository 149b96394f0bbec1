"""Put trained weights into the package, in half precision.

    python experiments/package_weights.py RUN|FILE streets-lite0 [--result RESULT.json]
        [--long-edge 640] [--temperature 1.2]

What the checkpoint says of its training goes along, and with the JSON of `hierseg evaluate` the
mIoU of that: half precision and class offsets change what was measured in training. --long-edge
stores at what longer side `hierseg predict` runs larger images, --temperature the temperature of
the confidence where no split is left to fit it on, and --unmeasured keeps no figure of a network
that was trained on the labels which would measure it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import hierseg
from ending import run_main
from hierseg.checkpoint.format import header_of
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint


def main() -> None:
    """Write src/hierseg/weights/NAME.safetensors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--result", type=Path)
    parser.add_argument("--long-edge", type=int)
    parser.add_argument("--temperature", type=float)
    parser.add_argument(
        "--unmeasured",
        action="store_true",
        help="leave out the figures of training: it has seen the labels that they are measured by",
    )
    arguments = parser.parse_args()
    network = load_model(arguments.run)
    header = header_of(network)
    record = dict(header.record)
    if arguments.unmeasured:
        kept = ("recipe", "model", "epoch", "step")
        record = {key: value for key, value in record.items() if key in kept}
    if arguments.result is not None:
        result = json.loads(arguments.result.read_text(encoding="utf-8"))
        record |= {key: result[key] for key in ("miou", "pixel_accuracy")}
    extra = dict(header.extra)
    for key in ("long_edge", "temperature"):
        if getattr(arguments, key) is not None:
            extra[key] = getattr(arguments, key)
    out = Path(hierseg.__file__).parent / "weights" / f"{arguments.name}.safetensors"
    out.parent.mkdir(exist_ok=True)
    save_checkpoint(
        out, network, header.label_space, record, None, header.scales, half=True, extra=extra
    )
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_main(main)
