"""Write the golden numbers that the networks' tests compare with.

    PYTHONPATH=tests python tests/models/write_goldens.py [NAME ...]

Only after the slow tests in tests/parity have shown that the code computes what was published.
"""

from __future__ import annotations

import sys

import numpy as np

from models import test_networks
from models.network_tester import golden_file, golden_network, golden_numbers


def main() -> None:
    """Write those of the networks that are named, or of all."""
    for tester in vars(test_networks).values():
        if not isinstance(tester, type) or not tester.__name__.startswith("Test"):
            continue
        if len(sys.argv) > 1 and tester.name not in sys.argv[1:]:
            continue
        numbers = golden_numbers(golden_network(tester), tester.golden_scales)
        stride = tester.golden_stride
        arrays = {k: v[..., ::stride, ::stride].numpy() for k, v in numbers.items()}
        np.savez_compressed(golden_file(tester.name), **arrays)
        print(tester.name, {key: float(value.std()) for key, value in arrays.items()})


if __name__ == "__main__":
    main()
