"""docs/commands.md: what it says of flags and completion."""

from __future__ import annotations

import re
from pathlib import Path

from hierseg.cli import SHORT_FLAGS
from hierseg.cli.names import OF_ALL
from hierseg.commands.completion import SCRIPTS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")


def test_the_short_names_are_those_of_training() -> None:
    [row] = re.findall(r"^\| `(--data --root[^`]*)` \|.*`(--data\.name[^`]*)` \|$", PAGE, re.M)
    assert [SHORT_FLAGS[short] for short in row[0].split()] == row[1].split()


def test_flags_of_all_commands_and_every_shell_are_named() -> None:
    assert all(f"`{flag}" in PAGE or f", `{flag}`" in PAGE for flag in (*OF_ALL[3:], "-o"))
    assert all(f"hierseg completion {shell}" in PAGE for shell in SCRIPTS)
