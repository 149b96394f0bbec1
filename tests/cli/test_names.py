from __future__ import annotations

from pathlib import Path

import pytest

from hierseg import cli
from hierseg.cli.names import ALIASES, list_flags, require_known
from hierseg.cli.recipe_flags import list_recipe_flags
from hierseg.commands.table import COMMANDS
from hierseg.errors import UsageError

PREDICT = list_flags(COMMANDS["predict"].load(), ALIASES)
TRAIN = list_recipe_flags(COMMANDS["train"].load())


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["a", "--ot", "x"], "--out"),
        (["--wieghts=x"], "--weights"),
        (["--form", "1"], "--from"),
        (["--data.root", "1"], "--root"),
    ],
)
def test_a_flag_that_there_is_not_gets_the_nearest(words: list[str], near: str) -> None:
    with pytest.raises(
        UsageError, match=f"`hierseg predict` has no flag .*; did you mean '{near}'"
    ):
        require_known(words, PREDICT, "predict")


@pytest.mark.parametrize(
    ("flag", "near"),
    [
        ("--lrr", "--lr"),
        ("--crop", "--data.crop"),
        ("--keep", "--runtime.keep"),
        ("--sede", "--seed"),
    ],
)
def test_a_flag_of_a_group_is_found_by_its_last_name(flag: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean '{near}'"):
        require_known([flag, "1"], TRAIN, "train x")


def test_what_is_like_nothing_is_sent_to_the_list() -> None:
    with pytest.raises(UsageError, match="`hierseg predict --help-all` lists them"):
        require_known(["--qqqqqq"], PREDICT, "predict")
    with pytest.raises(UsageError, match="has no flag '-z'"):
        require_known(["-z"], PREDICT, "predict")


def test_values_other_spellings_and_file_names_are_no_unknown_flags() -> None:
    words = ["-", "-1", "--scales", "-.5", "--max_pixels", "3", "-o", "x", "-q", "--", "--ot", "-z"]
    require_known(words, PREDICT, "predict")
    require_known(["--model.no-replace-head", "--no-replace-head", "-o", "x"], TRAIN, "train")


def test_a_flag_of_words_alone_has_no_negation_in_a_command() -> None:
    assert "--overwrite" in PREDICT
    assert "--no-overwrite" not in PREDICT
    assert "--model.no-pretrained" in TRAIN
    assert "--no-model.pretrained" not in TRAIN


def test_out_has_its_short_name_in_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, command in COMMANDS.items():
        if name not in ("train", "plan", "samples"):
            flags = list_flags(command.load(), ALIASES)
            assert ("-o" in flags) == ("--out" in flags)
    seen: list[Path] = []

    def streets(out: Path, seed: int = 0) -> None:
        seen.append(out)

    monkeypatch.setattr("hierseg.commands.streets.streets", streets)
    assert cli.main(["streets", "-o", "here"]) == 0
    assert seen == [Path("here")]


def test_check_takes_its_data_set_as_others_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[str, Path | None]] = []

    def check(data: str, /, root: Path | None = None) -> None:
        seen.append((data, root))

    monkeypatch.setattr("hierseg.commands.check.check", check)
    for words in (
        ["camvid", "--root", "x"],
        ["--root", "x", "--data", "camvid"],
        ["--data=camvid"],
    ):
        assert cli.main(["check", *words]) == 0
    assert seen == [("camvid", Path("x")), ("camvid", Path("x")), ("camvid", None)]
