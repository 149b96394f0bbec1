"""How a script of this folder ends: a user's mistake in a sentence, with its exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from hierseg import UserError


def run_main(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's ``main`` and leave with its status, or with the sentence of a UserError.

    A run that a signal has ended is one too: the same command goes on with it.
    """
    try:
        status = main()
    except UserError as error:
        print(error, file=sys.stderr)
        status = error.exit_status
    sys.exit(status)
