"""The documentation as a site: no page is lost, no warning, nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")


def test_every_page_is_in_the_contents() -> None:
    contents = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", INDEX, re.DOTALL))
    listed = {line for line in contents.splitlines() if line and not line.startswith(":")}
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    pages |= {f"tutorials/{path.stem}" for path in (DOCS / "tutorials").glob("*.md")}
    assert listed == pages | {"reference/index"}


def test_every_guide_is_found_by_what_it_is_for() -> None:
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", INDEX))
    about = {"results.md", "reliability.md", "log.md", "changelog.md", "contributing.md"}
    parts = {"augmentation.md", "losses.md", "datasets.md"}  # of the guides to training
    assert {path.name for path in DOCS.glob("*.md")} - linked == about | parts | {"index.md"}
    for target in linked:
        assert (DOCS / target).is_file(), target


class Loads(HTMLParser):
    """What a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "srcset") or (tag == "link" and name == "href"):
                self.found.append(value or "")


@pytest.mark.slow
def test_the_site(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "furo", "sphinx_copybutton"):
        pytest.importorskip(package, reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, str(DOCS), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 35
    loads = Loads()
    for page in pages:
        loads.feed(page.read_text(encoding="utf-8"))
    assert [load for load in loads.found if re.match(r"(\w+:)?//", load)] == []
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:", sheet.read_text(encoding="utf-8")), sheet
    reference = (tmp_path / "reference" / "prediction.html").read_text(encoding="utf-8")
    assert "of memory, of a video or a camera" in reference  # of Predictor's docstring
    command = (tmp_path / "reference" / "commands" / "predict.html").read_text(encoding="utf-8")
    assert "--max-pixels" in command  # which only --help-all shows
