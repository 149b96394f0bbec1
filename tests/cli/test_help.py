from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from hierseg import cli
from hierseg.cli import flags as parsing
from hierseg.cli.names import ALIASES, OF_ALL, list_flags, require_known
from hierseg.cli.recipe_flags import list_recipe_flags
from hierseg.commands.table import COMMANDS, OF_RECIPES


def show(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 0
    return capsys.readouterr().out


def is_head(line: str) -> bool:
    return re.match(r"(?:[│|] |  )-", line) is not None  # in a box, or in none


def flags_in(text: str) -> set[str]:
    """The flags that a help has a line of."""
    heads = [line[2:].split("  ")[0] for line in text.splitlines() if is_head(line)]
    return {word for head in heads for word in re.findall(r"--[a-z][\w.-]*", head)}


def words_of(name: str) -> list[str]:
    return [name, "streetlite"] if name in OF_RECIPES else [name]


def find_flags(name: str) -> dict[str, Any]:
    function = COMMANDS[name].load()
    is_of_recipe = name in OF_RECIPES
    return dict(list_recipe_flags(function) if is_of_recipe else list_flags(function, ALIASES))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_and_the_flags_that_matter(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    short = show([*words_of(name), "--help"], capsys)
    assert show(["help", *words_of(name)], capsys) == short
    example = COMMANDS[name].example.format(recipe="streetlite")
    assert short.splitlines()[2] == f"Example: {example}"
    assert sum(map(is_head, short.splitlines())) <= 20  # long names take two lines
    few = COMMANDS[name].flags
    if few:
        assert {f"--{flag}" for flag in few} <= flags_in(short) <= set(find_flags(name)) | {*OF_ALL}
        assert len(few) <= 16
        assert "--help-all shows all" in short
    else:
        assert flags_in(short) - {"--help"} == {f for f in find_flags(name) if f.startswith("--")}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_whole_help_has_every_flag_that_is_known(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = show([*words_of(name), "--help-all"], capsys)
    assert flags_in(whole) - {"--help"} == {f for f in find_flags(name) if f.startswith("--")}
    assert "--help-all shows" not in whole
    few = show([*words_of(name), "--help"], capsys)
    if COMMANDS[name].flags and name not in OF_RECIPES:  # whose lines are broken
        number = re.search(r"shows all (\d+)\.", few)
        assert number
        assert int(number[1]) == sum(map(is_head, whole.splitlines())) - 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_that_parses(name: str) -> None:
    example = COMMANDS[name].example.format(recipe="streetlite")
    [line] = re.findall(r"hierseg ([^>)]*)", example)
    command, *words = shlex.split(line)
    assert command == name
    flags = find_flags(name)
    require_known(words, flags, name)
    if name not in OF_RECIPES:
        function = COMMANDS[name].load()
        called = parsing._call_tyro(function, parsing.Shown(name, "", (), "", ALIASES), words)
        assert called.func is function


def test_the_text_of_a_flag_is_not_broken_where_its_source_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = show(["evaluate", "--help-all"], capsys)
    assert "by default the weights' own. 1 must be among" in re.sub(r"[\s│]+", " ", said)
    assert "(default: None)" not in said
    assert "(default: none)" not in said
