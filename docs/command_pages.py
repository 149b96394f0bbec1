"""A page for each command, of what `hierseg COMMAND --help-all` prints when the site is built."""

from __future__ import annotations

import contextlib
import io
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

from hierseg import cli
from hierseg.commands.table import COMMANDS, GROUPS, OF_RECIPES, OTHER_TRAININGS

RECIPE = "streetlite"
"""Whose values stand as the defaults of commands of recipes."""
WIDTH = 88
"""Columns that a page shows without scrolling."""


def write_command_pages(folder: Path) -> None:
    """Write ``NAME.md`` for each command, and ``index.md``, which lists them by what they are for;
    pages of commands that are no more go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = dict(_make_pages())
    for path in folder.glob("*.md"):
        if path.stem not in pages:
            path.unlink()
    for name, content in pages.items():
        path = folder / f"{name}.md"
        # A page that is as it was is not built again.
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")


def _make_pages() -> Iterator[tuple[str, str]]:
    index = ["# Commands", "", "Each with all its flags, as its `--help-all` shows them."]
    names = []
    for group, commands in GROUPS.items():
        index += ["", f"## {group[0].upper()}{group[1:]}", ""]
        for command in commands:
            index.append(f"- [`hierseg {command}`]({command}.md): {COMMANDS[command].summary}")
            names.append(command)
            yield command, _make_page(command, COMMANDS[command].summary)
            for name, other in OTHER_TRAININGS.items() if command == "train" else ():
                page, words = f"{command}-{name}", f"{command} {name}"
                index.append(f"- [`hierseg {words}`]({page}.md): {other.summary}")
                names.append(page)
                yield page, _make_page(words, other.summary)
    yield "index", "\n".join([*index, "", "```{toctree}", ":hidden:", "", *names, "```", ""])


def _make_page(words: str, summary: str) -> str:
    is_of_recipe = words in OF_RECIPES
    title = f"hierseg {words} RECIPE" if is_of_recipe else f"hierseg {words}"
    lines = [f"# `{title}`", "", f"{summary[0].upper()}{summary[1:]}.", ""]
    if is_of_recipe:
        lines += [
            f"Defaults are those of the recipe `{RECIPE}`; `hierseg recipes` lists others.",
            "",
        ]
    shown = show_help([*words.split(), *([RECIPE] if is_of_recipe else []), "--help-all"])
    text = [part for line in shown.strip("\n").splitlines() for part in _wrap(line.rstrip())]
    return "\n".join([*lines, "```text", *text, "```", ""])


def _wrap(line: str) -> list[str]:
    """A line of the page; paragraphs, which a terminal wraps by itself, in several."""
    is_paragraph = len(line) > WIDTH and not line.startswith(" ")
    return textwrap.wrap(line, WIDTH) if is_paragraph else [line]


def show_help(words: list[str]) -> str:
    """What the command line prints, as wide as a page is."""
    printed, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            cli.main(words)
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return printed.getvalue()
