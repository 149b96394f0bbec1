from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from hierseg import cli
from hierseg.sweeps import RunPlace, read_sweep
from hierseg.sweeps.folder import make_plain
from support.browser import CHROMIUM, Browser
from sweeps.test_comparison import write_run

CONTENT: dict[str, Any] = {
    "recipe": "streets-lite0",
    "out": "runs",
    "fixed": {"data.root": "a very long name of a folder " * 4},
    "grid": {"optim.lr": [0.001, 0.004], "runtime.seed": [0, 1, 2]},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(CONTENT))
    return tmp_path / "s.yaml"


def finish(file: Path, *numbers: int) -> list[str]:
    """Have runs of a file be done; their names."""
    runs = [read_sweep(file).runs[number] for number in numbers]
    for run in runs:
        place = RunPlace(Path("runs") / run.name)
        place.write_plan(run)
        place.status.write_text(json.dumps({"state": "done", "attempts": [{}]}))
    return [run.name for run in runs]


def test_a_dry_run_prints_a_line_a_command_and_starts_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in ("-n", "--dry-run"):
        assert cli.main(["sweep", str(file), flag]) == 0
        *lines, last = capsys.readouterr().out.splitlines()
        assert last == "6 runs"
        assert [line.split()[:3] for line in lines] == [["hierseg", "train", "streets-lite0"]] * 6
        assert lines[0].endswith("--runtime.out runs/lr0.001-seed0/run")
        assert not Path("runs").exists()
    finish(file, 0, 4)
    assert cli.main(["sweep", str(file), "-n"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "6 runs, 2 done already"


def test_what_is_done_is_not_run_and_the_rest_is_listed_when_it_fails(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = finish(file, 0, 1, 2, 3, 4)
    # The data that it names is not there, so that what is left fails by itself.
    assert cli.main(["sweep", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("5 runs done, 1 failed;")
    assert said.out.splitlines()[1].startswith("failed: runs/lr0.004-seed2 (log: ")
    assert "lr0.004-seed2: failed with exit status" in said.err
    assert not any(name in said.err for name in names)
    log = Path("runs/lr0.004-seed2/log.txt").read_text()
    assert "hierseg: " in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--parallel", "0"], "--parallel 0"),
        (["--gpus-per-run", "-1"], "--gpus-per-run -1"),
        (["--address", "auto"], "--address is for Ray"),
        (["--dashboard"], "--dashboard is for Ray"),
        (["--only", "lr7"], "no such run"),
    ],
)
def test_flags_that_cannot_be(
    file: Path, flags: Sequence[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sweep", str(file), *flags]) == 2
    assert sentence in capsys.readouterr().err


def test_more_gpus_than_there_are_is_a_sentence(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    assert cli.main(["sweep", str(file), "--gpus-per-run", "2", "--parallel", "2"]) == 2
    assert "need 4 GPUs, and this machine has 3" in capsys.readouterr().err


def test_a_flag_that_another_command_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(yaml.safe_dump({"command": "evaluate", "fixed": {"data": "x", "flop": True}}))
    assert cli.main(["sweep", str(path), "-n"]) == 2
    assert "`hierseg evaluate` has no flag --flop" in capsys.readouterr().err


def test_the_script_for_slurm_names_what_is_missing(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    finish(file, 0, 4)
    assert cli.main(["sweep", str(file), "--print-slurm", "--gpus-per-run", "1"]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --array=0-3\n" in script
    assert "#SBATCH --gres=gpu:1\n" in script
    assert "#SBATCH --requeue\n" in script
    (tmp_path / "job.sh").write_text(script)
    subprocess.run(["bash", "-n", "job.sh"], check=True)
    # srun is stood in for; what is left is what a task of the array runs.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "srun").write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    (tmp_path / "bin" / "srun").chmod(0o755)
    said = subprocess.run(
        ["bash", "job.sh"],
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "3"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = said.stdout.splitlines()
    assert words[1:4] == ["-m", "hierseg", "sweep"]
    assert words[-2:] == ["--only", "lr0.004-seed2"]
    finish(file, *range(6))
    assert cli.main(["sweep", str(file), "--print-slurm"]) == 1
    assert "all runs" in capsys.readouterr().err


def test_only_the_runs_that_are_named_are_run(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [name] = finish(file, 2)
    assert cli.main(["sweep", str(file), "--only", name]) == 0
    assert capsys.readouterr().out.startswith("1 run done;")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "some runs"
    write_run(root / "first", [(1, 2.0, 10, 0.1), (2, 1.0, 30, 0.5), (3, 0.9, 11, 0.4)])
    write_run(root / "<b>", [(1, 3.0, 70, 0.2), (2, 0.5, 70, 0.3)], optim__lr=0.01)
    return root


def test_the_table_has_a_line_a_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", str(runs)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].split()[:3] == ["run", "status", "epochs"]
    assert lines[2].split()[:3] == ["first", "done", "3/3"]
    assert lines[3].split()[-1] == "0.01"


def test_json_and_csv_go_to_files_or_to_the_standard_output(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--json", str(tmp_path / "r.json"), "--csv", str(tmp_path / "r.csv")]
    for _ in range(2):  # its own files are replaced
        assert cli.main(["runs", str(runs), *files]) == 0
    capsys.readouterr()
    content = json.loads((tmp_path / "r.json").read_text())
    assert [run["run"] for run in content["runs"]] == ["first", "<b>"]
    assert cli.main(["runs", str(runs), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == content["runs"]
    assert cli.main(["runs", str(runs), "--csv", "--sort", "loss"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("<b>,stopped,2,3,")


@pytest.mark.parametrize("flag", ["--json", "--csv", "--page"])
def test_what_is_somebody_elses_is_not_replaced(
    runs: Path, tmp_path: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    words = ["runs", str(runs), flag, str(tmp_path / "mine")]
    assert cli.main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "mine"
    assert cli.main([*words, "--overwrite"]) == 0
    assert (tmp_path / "mine").read_text() != "mine"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_the_page_shows_runs_and_sorts_them_in_a_browser(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["runs", str(runs), "--page", str(page)]) == 0
    assert "http" not in page.read_text().replace("http-equiv", "")
    with Browser(tmp_path / "profile") as browser:
        browser.open(page)
        names = "[...document.querySelectorAll('tbody tr')].map(row => row.dataset.run)"
        assert browser.evaluate(names) == ["first", "<b>"]
        assert browser.evaluate("document.querySelectorAll('svg').length") == 3
        browser.evaluate("document.querySelectorAll('th button')[3].click()")
        assert browser.evaluate(names) == ["<b>", "first"]
        browser.evaluate("document.querySelectorAll('th button')[3].click()")
        assert browser.evaluate(names) == ["first", "<b>"]


def test_plain_values() -> None:
    assert make_plain((0.5, Path("a"))) == [0.5, "a"]
