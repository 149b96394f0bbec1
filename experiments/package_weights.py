"""Put a trained run's best weights into the package, in half precision.

python experiments/package_weights.py RUN streets-lite0
"""

from __future__ import annotations

import argparse
from pathlib import Path

import hierseg
from hierseg.checkpoint import header_of, load_model, save_checkpoint


def main() -> None:
    """Write src/hierseg/weights/NAME.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    network = load_model(arguments.run)
    header = header_of(network)
    out = Path(hierseg.__file__).parent / "weights" / f"{arguments.name}.safetensors"
    out.parent.mkdir(exist_ok=True)
    save_checkpoint(
        out, network, header.label_space, record=header.record, scales=header.scales, half=True
    )
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
