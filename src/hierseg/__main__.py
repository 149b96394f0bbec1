"""``python -m hierseg`` is ``hierseg``."""

import os
import sys

if __name__ == "__main__":
    # `python -m` looks for modules in the current folder first, so that a numpy.py which happens to
    # lie there would be run. Before anything else is imported; not where the package itself lies.
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    first = sys.path[0]
    if not sys.flags.safe_path and first != home and os.path.samefile(first or ".", "."):  # noqa: PTH121
        del sys.path[0]

    from hierseg.cli import main

    sys.exit(main())
