"""The site's pages of commands: made of the help as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from hierseg import cli
from hierseg.commands.table import COMMANDS

SOURCE = Path(__file__).resolve().parents[1] / "docs" / "command_pages.py"


@pytest.fixture
def pages() -> ModuleType:
    described = importlib.util.spec_from_file_location("command_pages", SOURCE)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def test_each_command_has_a_page_that_the_index_lists(
    pages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "show_help", lambda words: f"all of {' '.join(words)}\n")
    (tmp_path / "gone.md").write_text("a command that was")
    pages.write_command_pages(tmp_path)
    made = {path.stem: path.read_text() for path in tmp_path.glob("*.md")}
    assert set(made) == {*COMMANDS, "train-sdcnet", "index"}
    contents = made["index"].partition("```{toctree}")[2].split()
    for name, page in made.items():
        if name != "index":
            assert name in contents
            assert f"]({name}.md): " in made["index"]
            assert page.startswith("# `hierseg ")
    assert "all of predict --help-all" in made["predict"]
    assert "all of plan streetlite --help-all" in made["plan"]
    assert "`streetlite`" in made["plan"]
    assert "all of train sdcnet --help-all" in made["train-sdcnet"]


def test_the_help_is_the_command_s_own(
    pages: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    shown = pages.show_help(["bench", "--help-all"])
    monkeypatch.setenv("COLUMNS", str(pages.WIDTH))
    with pytest.raises(SystemExit):
        cli.main(["bench", "--help-all"])
    assert shown == capsys.readouterr().out
    assert "--help" in shown
    assert "\x1b" not in shown


def test_a_page_that_is_as_it_was_is_not_written_again(
    pages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "show_help", lambda words: words[0])
    pages.write_command_pages(tmp_path)
    (tmp_path / "bench.md").write_text("changed")
    before = (tmp_path / "predict.md").stat().st_mtime_ns
    pages.write_command_pages(tmp_path)
    assert (tmp_path / "predict.md").stat().st_mtime_ns == before
    assert (tmp_path / "bench.md").read_text() != "changed"


def test_no_line_is_wider_than_a_page_shows(pages: ModuleType, tmp_path: Path) -> None:
    pages.write_command_pages(tmp_path)
    for name in ("predict", "evaluate", "export"):
        block = (
            (tmp_path / f"{name}.md").read_text().partition("```text\n")[2].partition("\n```")[0]
        )
        assert max(map(len, block.splitlines())) <= pages.WIDTH
