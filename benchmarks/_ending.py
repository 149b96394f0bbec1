"""How a benchmark runs and ends: with a cache of its own, and a user's mistake in a sentence."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from typing import NoReturn

from hierseg import UserError

CACHE = "HIERSEG_CACHE"


def run_main(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's ``main`` and leave with its status; with 1 and the sentence of a UserError.

    What `--engine auto` chose before, by other images or beside other programs, is not asked, nor
    does it learn from scenes that are drawn: the cache is a new one, unless ``HIERSEG_CACHE`` names
    one.
    """
    with tempfile.TemporaryDirectory(prefix="hierseg-benchmark-") as folder:
        os.environ.setdefault(CACHE, folder)
        try:
            sys.exit(main())
        except UserError as error:
            sys.exit(str(error))
