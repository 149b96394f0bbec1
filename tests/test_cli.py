from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

import hierseg
from hierseg import cli
from hierseg.commands.samples import SampleFlags
from hierseg.commands.table import COMMANDS, GROUPS, Command
from hierseg.commands.train import NO_TRACKING, TrackingFlags
from hierseg.config import Experiment
from hierseg.errors import MissingExtraError, UsageError, UserError
from hierseg.size import Size

Install = Callable[[str, Callable[..., Any]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a function in the place of a command."""

    def install_command(name: str, function: Callable[..., Any]) -> None:
        module = types.ModuleType("stand_in")
        module.run = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "stand_in", module)
        monkeypatch.setitem(cli.COMMANDS, name, Command("stand_in:run", "a stand-in"))

    return install_command


def status_of(words: list[str]) -> int | str | None:
    """The status that a command ends with, by itself or by its parser."""
    try:
        return cli.main(words)
    except SystemExit as left:
        return left.code


HELPS = [
    ["--help"],
    ["--version"],
    *([name, "--help"] for name in cli.COMMANDS),
    *([name, "--help-all"] for name in cli.COMMANDS),
    ["--complete", "3", "hierseg", "train", "streetlite", "--data"],
    ["--complete", "3", "hierseg", "predict", "--weights", ""],
    ["train", "streets-lite0", "--help"],
    ["samples", "streets-lite0", "--help"],
    ["plan", "streets-lite0", "--help"],
]


def test_no_help_imports_torch_or_tyro_before_it_must() -> None:
    code = f"""
import contextlib, io, sys
from hierseg.cli import main
for words in {HELPS!r}:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main(words)
    assert len(said.getvalue()) > 10, words
    heavy = {{"torch", "timm", "numpy", "cv2"}} & set(sys.modules)
    print(words, sorted(heavy), "tyro" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert len(lines) == len(HELPS)
    assert all(" [] " in line for line in lines), run.stdout
    assert [line.endswith("False") for line in lines[:2]] == [True, True]


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        assert cli.main(words) == 0
        said = capsys.readouterr().out
        assert all(f"\n  {name} " in said for name in cli.COMMANDS)
        assert max(map(len, said.splitlines())) <= 80


def test_each_command_is_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(COMMANDS)


def test_help_on_a_command_is_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for words in (["help", "predict"], ["predict", "--help"]):
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        assert left.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "usage: hierseg predict" in said[0]
    with pytest.raises(SystemExit):
        cli.main(["help", "train", "streetlite"])
    assert "usage: hierseg train streetlite" in capsys.readouterr().out
    assert cli.main(["help", "predit"]) == 2
    assert "did you mean 'predict'" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"hierseg {hierseg.__version__}\n"


def test_every_command_can_be_loaded() -> None:
    for name, command in cli.COMMANDS.items():
        function = command.load()
        assert function.__name__ == name.replace("-", "_")
        assert (function.__doc__ or "").strip()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["predit"], "hierseg: there is no command 'predit'; did you mean 'predict'?\n"),
        (["xyz"], "hierseg: there is no command 'xyz'; `hierseg --help` lists them.\n"),
        (["--quick"], "hierseg: there is no flag '--quick'; `hierseg --help` lists them.\n"),
    ],
)
def test_an_unknown_command_gets_the_nearest(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.err == sentence
    assert said.out == ""


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (UserError("the cure."), 1, "the cure."),
        (UsageError("the flag."), 2, "the flag."),
        (MissingExtraError("Video", "video"), 1, "Video needs an optional package"),
        (KeyboardInterrupt(), 130, "interrupted."),
        (KeyboardInterrupt("half is done."), 130, "half is done."),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "/x: permission denied;"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "/x: no space is left"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "no space is left"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), 1, "/x: no such file"),
        (OSError(errno.EMFILE, "Too many open files"), 1, "too many open files."),
    ],
)
def test_failures_are_one_sentence_and_a_status(
    install: Install,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    sentence: str,
) -> None:
    def fail() -> None:
        raise error

    install("streets", fail)
    assert cli.main(["streets"]) == status
    said = capsys.readouterr().err
    assert said.startswith(f"hierseg: {sentence}")
    assert said.count("\n") == 1


def test_sigterm_ends_a_command_as_ctrl_c_does(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("half is done.") from None

    before = signal.getsignal(signal.SIGTERM)
    install("streets", work)
    assert cli.main(["streets"]) == 143
    assert capsys.readouterr().err == "hierseg: half is done.\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_command_forks_dies_of_sigterm(install: Install) -> None:
    died: list[int] = []

    def work() -> None:
        child = os.fork()
        if not child:
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                os._exit(1)
        died.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    install("streets", work)
    assert cli.main(["streets"]) == 0
    assert died == [-signal.SIGTERM]


def test_a_warning_is_one_line(install: Install) -> None:
    def work() -> None:
        said.append(warnings.formatwarning("mind the gap", UserWarning, "a.py", 1))

    said: list[str] = []
    install("streets", work)
    assert cli.main(["streets"]) == 0
    assert said == ["hierseg: mind the gap\n"]
    assert warnings.formatwarning("mind the gap", UserWarning, "a.py", 1) != said[0]


@pytest.mark.parametrize("error", [OSError("image file is odd"), ZeroDivisionError()])
def test_defects_keep_their_traceback(install: Install, error: Exception) -> None:
    def fail() -> None:
        raise error

    install("streets", fail)
    with pytest.raises(type(error)):
        cli.main(["streets"])


PRINTERS = {
    "print": "print('x' * 1_000_000)",
    "rich": "make_console().print('x' * 1_000_000)",
    "stderr": "print('x' * 1_000_000, file=sys.stderr)",
    "progress": "make_console(stderr=True).print('x' * 1_000_000)",
    "leaves": "print('x' * 1_000); sys.exit(0)",
}


@pytest.mark.parametrize("way", PRINTERS)
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(way: str) -> None:
    code = f"""
import sys, types
from hierseg import cli
from hierseg.commands.progress import make_console
from hierseg.commands.samples import SampleFlags
from hierseg.commands.table import Command
from hierseg.commands.train import NO_TRACKING, TrackingFlags
module = types.ModuleType("stand_in")
def run():
    {PRINTERS[way]}
module.run = run
module.run.__doc__ = "Print."
sys.modules["stand_in"] = module
cli.COMMANDS["streets"] = Command("stand_in:run", "")
sys.exit(cli.main(["streets"]))
"""
    closed, other = ("stderr", "stdout") if way in ("stderr", "progress") else ("stdout", "stderr")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        getattr(process, closed).close()
        said = getattr(process, other).read()
    assert process.returncode == 141
    assert said == ""


def test_another_pipe_that_breaks_is_a_failure(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    install("streets", fail)
    assert cli.main(["streets"]) == 1
    assert capsys.readouterr().err == "hierseg: broken pipe.\n"


def test_arguments_are_parsed_by_their_types(install: Install) -> None:
    seen: list[Any] = []

    def command(
        sources: tuple[str, ...],
        /,
        out: Path,
        size: Size = Size(1, 2),
        scales: tuple[float, ...] | None = None,
        flip: bool = False,
    ) -> int:
        """Do it."""
        seen.append((sources, out, size, scales, flip))
        return 3

    install("streets", command)
    words = ["a", "b c", "--out", "o", "--size", "32x64", "--scales", "0.5", "1", "--flip"]
    assert cli.main(["streets", *words]) == 3
    assert cli.main(["streets", "a", "--out", "o"]) == 3
    assert seen == [
        (("a", "b c"), Path("o"), Size(32, 64), (0.5, 1.0), True),
        (("a",), Path("o"), Size(1, 2), None, False),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "64"], "HEIGHTxWIDTH"),
        (["--size", "1x2", "--scales", "0.5", "one"], "one"),
        ([], "--size"),
        (["--size", "1x2", "--sacles", "1"], "--scales"),
        (["--size", "1x2", "--out", ""], "it is empty"),
        (["--size", "1x2", "--names", "a", ""], "it is empty"),
    ],
)
def test_wrong_arguments_are_wrong_usage(
    install: Install, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    def command(
        size: Size,
        scales: tuple[float, ...] | None = None,
        out: Path | None = None,
        names: tuple[str, ...] = (),
    ) -> None:
        """Do it."""

    install("streets", command)
    assert status_of(["streets", *words]) == 2
    assert message in capsys.readouterr().err


Word = Literal["overlay", "color", "labels", "ids"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--save", "ids", "overlays"],
            "'overlays' is none of overlay, color, labels, ids; did you mean 'overlay'?",
        ),
        (["--save", "None"], "'None' is none of overlay, color, labels, ids."),
        (["--kind", "label"], "'label' is none of overlay, color, labels, ids; did you mean 'labe"),
        (
            ["--must", "colour"],
            "'colour' is none of overlay, color, labels, ids; did you mean 'col",
        ),
    ],
)
def test_a_wrong_choice_gets_the_choices_in_their_order_and_the_nearest(
    install: Install, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    def command(
        save: tuple[Word, ...] | None = None, kind: Word | None = None, must: Word = "ids"
    ) -> None:
        """Do it."""
        seen.append((save, kind, must))

    seen: list[Any] = []
    install("streets", command)
    with pytest.raises(SystemExit) as left:
        cli.main(["streets", *words])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert sentence in " ".join(said.replace("│", " ").split())
    assert cli.main(["streets"]) == 0
    assert cli.main(["streets", "--save", "ids", "color", "--kind", "ids", "--must", "color"]) == 0
    assert seen == [(None, None, "ids"), (("ids", "color"), "ids", "color")]


def test_what_the_parser_says_of_a_word_is_printable(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(source: str, /, save: Word = "ids") -> None:
        """Do it."""
        print("said at once", file=sys.stderr)
        assert "said at once" in capsys.readouterr().err
        assert source == "a\x1b[2J"

    install("streets", command)
    wrong = [["a", "b\x1b[2Jc\rd"], ["a", "--save", "ids\x1b[2J"], ["a", "--\u202eevas"]]
    for words in (*wrong, ["a", "--e\u202evas"], ["a", "--sav\x1b[2J"]):
        assert status_of(["streets", *words]) == 2
        said = capsys.readouterr().err
        assert said
        assert not any(mark in said for mark in "\x1b\r\u202e")
    assert cli.main(["streets", "a\x1b[2J"]) == 0


def test_help_shows_paragraphs_defaults_and_no_none(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(
        sources: tuple[str, ...], /, size: Size = Size(256, 512), weights: str | None = None
    ) -> None:
        """Do it.

        Args:
            sources: Images.
            size: A text that goes on
                in another line.
            weights: Their name.
        """

    install("streets", command)
    with pytest.raises(SystemExit) as left:
        cli.main(["streets", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "goes on in another" in said
    assert "(default: 256x512)" in said
    assert "HEIGHTxWIDTH" in said
    assert "SOURCE ..." in said
    assert "None" not in said


def test_train_overrides_the_recipes_values(install: Install) -> None:
    seen: list[Experiment] = []
    install("train", seen.append)
    words = [
        "--data.root", "/d", "--data.crop", "64x128", "--optim.lr", "0.5", "--runtime.out", "/o",
        "--model.train-scales", "0.5", "1", "--runtime.resume", "--model.no-pretrained",
    ]  # fmt: skip
    assert cli.main(["train", "camvid-lite0", *words]) == 0
    [experiment] = seen
    assert experiment.recipe == "camvid-lite0"
    assert experiment.data.name == "camvid"
    assert experiment.data.root == Path("/d")
    assert experiment.data.crop == Size(64, 128)
    assert experiment.optim.lr == 0.5
    assert experiment.model.train_scales == (0.5, 1.0)
    assert (experiment.runtime.resume, experiment.model.pretrained) == (True, False)


def test_train_help_shows_the_recipes_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["train", "camvid-lite0", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "(default: 352x480)" in said
    assert "hierseg train camvid-lite0 --data.root" in said
    assert "--recipe" not in said


@pytest.mark.parametrize("words", [["--help"], ["camvid-lite0", "--help-all"]])
@pytest.mark.parametrize("command", cli.OF_RECIPES)
def test_the_help_of_training_names_the_short_flags(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        cli.main([command, *words])
    said = " ".join(capsys.readouterr().out.split())
    for short, long in cli.SHORT_FLAGS.items():
        assert re.search(rf"{short}[ ,]", said)
        assert long in said


def test_short_names_set_what_the_dotted_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Experiment] = []

    def train(experiment: Experiment, flags: TrackingFlags = NO_TRACKING) -> None:
        seen.append(experiment)

    monkeypatch.setattr("hierseg.commands.train.train", train)
    words = ["--data", "my.yaml", "--root", "there", "--batch", "3", "--epochs=7", "--lr", "0.5"]
    words += ["-o", "runs/x", "--device", "cpu", "--seed", "11"]
    assert cli.main(["train", "camvid-lite0", *words]) == 0
    (one,) = seen
    assert (one.data.name, one.data.root, one.data.batch) == ("my.yaml", Path("there"), 3)
    assert (one.optim.epochs, one.optim.lr) == (7, 0.5)
    assert (one.runtime.out, one.runtime.device, one.runtime.seed) == (Path("runs/x"), "cpu", 11)


def test_a_flag_that_a_command_has_itself_is_no_short_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Experiment, SampleFlags]] = []

    def samples(experiment: Experiment, flags: SampleFlags) -> None:
        seen.append((experiment, flags))

    monkeypatch.setattr("hierseg.commands.samples.samples", samples)
    for flag in ("--out", "-o"):
        assert cli.main(["samples", "camvid-lite0", flag, "seen", "--epochs", "2"]) == 0
    assert len(seen) == 2
    for experiment, flags in seen:
        assert flags.out == Path("seen")
        assert experiment.runtime.out is None
        assert experiment.optim.epochs == 2


def test_train_wants_a_recipe_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "camvid-lite"]) == 2
    assert "did you mean 'camvid-lite0'" in capsys.readouterr().err
    for words in ([], ["--data.root", "x"]):
        assert cli.main(["train", *words]) == 2
        assert "streets-lite0" in capsys.readouterr().err
    assert cli.main(["train", "--help"]) == 0
    assert "streets-lite0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        ImportError("libtorch.so: failed to map segment: Cannot allocate memory"),
    ],
)
def test_want_of_memory_is_a_sentence_with_the_cure(
    install: Install, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail() -> None:
        raise error

    install("demo", fail)
    assert cli.main(["demo"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("hierseg: there is not enough memory; ")
    assert all(flag in said for flag in ("--long-edge", "--batch 1", "--data.crop"))
    assert said.count("\n") == 1


def test_other_failures_keep_their_traceback(install: Install) -> None:
    def fail() -> None:
        raise RuntimeError("a defect")

    install("demo", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        cli.main(["demo"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_threads_that_wait_sleep_soon_unless_the_user_has_said_how_they_wait(
    given: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["--version"]) == 0
    assert os.environ.get("GOMP_SPINCOUNT") == expected
