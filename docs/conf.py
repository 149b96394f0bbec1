"""How the documentation becomes a site: `make docs`. Nothing is fetched; a warning is an error."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from hierseg.version import __version__

sys.path.insert(0, str(Path(__file__).resolve().parent))
from command_pages import write_command_pages

project = "hierseg"
author = "The hierseg developers"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
default_role = "literal"  # docstrings set names and commands between single backticks
myst_heading_anchors = 4  # a heading is linked to by its words, as on a page of a repository
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"hierseg {__version__}"
html_static_path = ["assets"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

COMMANDS = "reference/commands"
"""Where the pages of commands are made."""
BEFORE_NAPOLEON, AFTER_NAPOLEON = 499, 501
HIDDEN = "\N{RATIO}"


def setup(app: Sphinx) -> None:
    """Make the pages of commands, and read docstrings as the project writes them."""
    app.connect("builder-inited", lambda app: write_command_pages(Path(app.srcdir, COMMANDS)))
    app.connect("autodoc-process-docstring", mark_examples, BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", hide_colons, BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", show_colons, AFTER_NAPOLEON)


def mark_examples(
    app: Sphinx, what: str, name: str, target: object, options: Any, lines: list[str]
) -> None:
    """An example is code."""
    text = "\n".join("Example::\n" if line == "Example:" else line for line in lines)
    lines[:] = text.split("\n")


def hide_colons(
    app: Sphinx, what: str, name: str, target: object, options: Any, lines: list[str]
) -> None:
    """What stands before a colon is no type: types are annotated."""
    section = ""
    for number, line in enumerate(lines):
        if line and not line.startswith(" "):
            section = line
        if what in ("attribute", "property") or section in ("Returns:", "Yields:"):
            words = line.removesuffix(":") if line == section else line
            lines[number] = re.sub("(?<!:):(?!:)", HIDDEN, words) + line[len(words) :]


def show_colons(
    app: Sphinx, what: str, name: str, target: object, options: Any, lines: list[str]
) -> None:
    """Undo ``hide_colons``."""
    lines[:] = [line.replace(HIDDEN, ":") for line in lines]
