"""How many modules a command enters, and how often control comes back to one that it had left.

    python experiments/count_control.py predict photo.jpg
    python experiments/count_control.py train DATA     # a data set in Cityscapes' layout

Counted by ``sys.setprofile`` over calls of functions of the package, in all threads, without what
runs while a module is imported: ``predict`` to its end, ``train`` until the first batch is given to
the network.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import hierseg

HOME = str(Path(hierseg.__file__).parent) + "/"
FIRST_STEP = "Stepper.step"


class Reached(BaseException):
    """The first batch is there."""


class Control:
    """Follows control through the modules of the package, thread by thread."""

    def __init__(self) -> None:
        self.entered: dict[str, int] = {}
        self.returns = 0
        self._threads = threading.local()

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Take an event of the profiler."""
        if event not in ("call", "return"):
            return
        current, left = self._state()
        if frame.f_code.co_name == "<module>":
            self._threads.importing += 1 if event == "call" else -1
        name = frame.f_code.co_filename
        if event == "return" or self._threads.importing or not name.startswith(HOME):
            return
        module = name.removeprefix(HOME)
        if module != current:
            if module in left:
                self.returns += 1
            left.add(current)
            self._threads.current = module
        self.entered[module] = self.entered.get(module, 0) + 1
        if frame.f_code.co_qualname == FIRST_STEP:
            raise Reached

    def _state(self) -> tuple[str, set[str]]:
        if not hasattr(self._threads, "left"):
            self._threads.left, self._threads.current = set(), ""
            self._threads.importing = 0
        return self._threads.current, self._threads.left


def follow(words: list[str]) -> Control:
    """Control through one command."""
    from hierseg import cli

    control = Control()
    threading.setprofile(control)
    sys.setprofile(control)
    try:
        with contextlib.suppress(Reached), contextlib.redirect_stdout(sys.stderr):
            cli.main(words)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return control


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["predict", "train"])
    parser.add_argument("path", help="a photograph, or a data set")
    parser.add_argument("--list", action="store_true", help="name the modules too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out")
        words = ["predict", given.path, "--out", out]
        if given.command == "train":
            words = ["train", "streets-lite0", "--data.root", given.path, "--runtime.out", out]
            words += ["--data.crop", "96x160", "--data.workers", "0"]
            words += ["--runtime.limit-batches", "2"]
        control = follow(words)
    if given.list:
        for name, calls in sorted(control.entered.items()):
            print(f"{calls:8d}  {name}")
    print(f"{given.command}: {len(control.entered)} modules entered, {control.returns} returns")


if __name__ == "__main__":
    main()
