"""How a benchmark ends: with its status, or a user's mistake in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from hierseg import UserError


def run_main(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's ``main`` and leave with its status; with 1 and the sentence of a UserError."""
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
