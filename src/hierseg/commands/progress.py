"""What a command says while it works: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The command line knows how to end, and rich would end with a failure."""
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def make_console(stderr: bool = False) -> Console:
    """A console that prints text as it is: a file's name may look like markup or an emoji's."""
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False)


@contextmanager
def show_progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function of (done, total) that moves the bar; the bar vanishes at the end."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task(description, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
