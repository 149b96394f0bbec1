from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hierseg import cli
from hierseg.cli.completing import complete
from hierseg.commands.completion import SCRIPTS
from hierseg.commands.table import COMMANDS
from hierseg.recipes import RECIPES


def ask(*words: str) -> list[str]:
    return complete(len(words), ["hierseg", *words])


def test_commands_recipes_and_flags_are_offered() -> None:
    assert set(ask("")) == {*COMMANDS, "help"}
    assert ask("ev") == ["evaluate"]
    assert ask("help", "pre") == ["predict"]
    assert "--version" in ask("--")
    assert set(ask("train", "")) == set(RECIPES)
    assert ask("predict", "photos", "--wei") == ["--weights"]
    assert ask("train", "streetlite", "--data.cr") == ["--data.crop"]
    assert "--model.no-pretrained" in ask("train", "streetlite", "--model.no")
    assert "--help-all" in ask("train", "streetlite", "--help")
    assert "-o" in ask("streets", "-")


def test_values_are_offered_behind_their_flag() -> None:
    assert "camvid" in ask("evaluate", "--data", "")
    assert ask("train", "streetlite", "--data", "came") == []
    assert ask("train", "streetlite", "--data", "cam") == ["camvid"]
    packaged = {"streetlite", "streetlite-all", "streets-lite0"}
    assert set(ask("predict", "--weights", "stree")) == packaged
    assert ask("train", "streetlite", "--optim.schedule", "c") == ["cosine"]
    assert ask("predict", "--device", "c") == ["cpu", "cuda"]
    assert ask("train", "streetlite", "--model.name", "hrnet48-ocr-h") == ["hrnet48-ocr-hier"]
    assert ask("check", "kit") == ["kitti"]
    assert ask("completion", "") == ["bash", "fish", "zsh"]
    # Several values of one flag, and one of another.
    assert ask("predict", "--save", "coco", "cv") == ["cvat", "cvat-xml"]
    assert ask("predict", "--palette", "distinct", "d") == []


def test_where_a_file_may_stand_nothing_is_offered() -> None:
    assert ask("predict", "ph") == []
    assert ask("predict", "--out", "") == []
    assert ask("predict", "--overwrite", "") == []
    assert ask("nothing", "") == []


def test_a_word_within_the_line_is_completed_by_what_stands_before_it() -> None:
    assert complete(1, ["hierseg", "ev", "--data", "camvid"]) == ["evaluate"]


def test_a_shell_that_asks_wrongly_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["x"], ["99"], ["1", "hierseg"], ["-1", "hierseg"]):
        assert cli.main(["--complete", *words]) == 0
    said = capsys.readouterr()
    assert said.err == ""


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert said == SCRIPTS[shell]
    assert "--complete" in said


def test_bash_completes_by_it() -> None:
    script = f"""
hierseg() {{ {sys.executable} -m hierseg "$@"; }}
{SCRIPTS["bash"]}
COMP_WORDS=(hierseg predict --weights str); COMP_CWORD=3; _hierseg; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(hierseg predict pho); COMP_CWORD=2; _hierseg; echo "${{#COMPREPLY[@]}}"
complete -p hierseg
"""
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "streetlite streetlite-all streets-lite0",
        "0",
        "complete -o default -F _hierseg hierseg",
    ]


ANSWERS = """\
#!/bin/sh
printf '%s|' "$@" >> "${0%/*}/asked"
case "$2 $5" in "3 --data") printf 'fine views\\ncityscapes\\n' ;; esac
"""
"""A program that writes down what it is asked, and answers behind the first flag alone."""


def _ask_shell(shell: str, script: str, folder: Path) -> list[str]:
    """What a shell prints, behind what the program was asked."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = folder / "hierseg"
    program.write_text(ANSWERS)
    program.chmod(0o755)
    (folder / "photos").mkdir()
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}
    plain = "-f" if shell == "zsh" else "--no-config"
    run = subprocess.run(
        [shell, plain, "-c", script],
        capture_output=True, text=True, check=True, cwd=folder, env=environment,
    )  # fmt: skip
    return [(folder / "asked").read_text(), *run.stdout.splitlines()]


def test_zsh_completes_by_it(tmp_path: Path) -> None:
    """Without a terminal: what its completion would call is said."""
    script = f"""
compadd() {{ shift; print -l -- "$@"; }}
_files() {{ print files; }}
compdef() {{ print "defined $*"; }}
{SCRIPTS["zsh"]}
words=(hierseg predict 'two\\ words' --data f after); CURRENT=5; _hierseg
words=(hierseg predict --data '"fine views"' ''); CURRENT=4; _hierseg
words=(hierseg predict pho); CURRENT=3; _hierseg
"""
    asked, *said = _ask_shell("zsh", script, tmp_path)
    assert said == ["defined _hierseg hierseg", "files", "fine views", "cityscapes", "files"]
    assert asked == (
        "--complete|4|hierseg|predict|two words|--data|f|"
        "--complete|3|hierseg|predict|--data|fine views|"
        "--complete|2|hierseg|predict|pho|"
    )


def test_fish_completes_by_it(tmp_path: Path) -> None:
    script = f"""
{SCRIPTS["fish"]}
complete -C 'hierseg predict --data '
echo -
complete -C 'hierseg predict --data "fine views" --out pho'
"""
    asked, *said = _ask_shell("fish", script, tmp_path)
    assert said == ["cityscapes", "fine views", "-", "photos/"]
    assert asked == (
        "--complete|3|hierseg|predict|--data||"
        "--complete|5|hierseg|predict|--data|fine views|--out|pho|"
    )
