"""What an index shows of the README: its relative links lead nowhere there.

All else about the package is in pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from setuptools import setup

ROOT = Path(__file__).resolve().parent
RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z][a-z0-9+.-]*:|#)([^)\s]+)\)")


def describe(text: str, site: str) -> str:
    """The README with links to the documentation's site, or, where there is none, without links.

    Args:
        text: The README.
        site: Address of what `make docs` builds; one below ``.invalid`` stands for none.
    """
    is_known = not str(urlsplit(site).hostname).endswith(".invalid")

    def replace(found: re.Match[str]) -> str:
        mark, words, path = found.groups()
        if not is_known:
            return f"*{words}*" if mark else words
        name = path.removeprefix("docs/")
        if mark:
            return f"![{words}]({site}/_images/{Path(path).name})"
        page, _, anchor = name.partition("#")
        page = page.removesuffix(".md")
        page = page.lower() if "/" not in path else page
        return f"[{words}]({site}/{page}.html{'#' + anchor if anchor else ''})"

    return RELATIVE.sub(replace, text)


if __name__ == "__main__":
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    setup(
        long_description=describe(
            (ROOT / "README.md").read_text(encoding="utf-8"), urls["Documentation"].rstrip("/")
        ),
        long_description_content_type="text/markdown",
    )
