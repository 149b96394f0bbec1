"""A journal that a power cut left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hierseg.training.table import LONGEST_LINE, CsvTable

FIELDS = ("step", "loss", "skipped")
WHOLE = b"step,loss,skipped\n1,0.5,\n2,0.25,\n3,1e-05,0\n"
TAILS = {
    "zeros": b"\0" * 5000,
    "half a row": b"4,0.",
    "garbage": bytes(range(1, 256)) * 40 + b"\n",
    "a field too long": b"4," + b"9" * 200_000 + b",0\n",
    "a line too long": b"4,1,0" + b" " * LONGEST_LINE + b"\n",
    "too many cells": b"4,1,0,7,7\n",
    "too few": b"4\n",
    "a quote": b'4,"1,0\n',
    "another number": b"-4,1,0\nfour,1,0\n4.0,1,0\n",
    "a huge number": b"4" * 6000 + b",1,0\n",
    "words": b"4,loss,0\n",
    "what lay there before": b"1,0.5,\n",
}


def _open(path: Path, until: int = 3) -> tuple[str, list[str]]:
    said: list[str] = []
    CsvTable(path, FIELDS, until, said.append)
    return path.read_text(), said


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_rows_that_are_whole_stay(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_bytes(WHOLE + tail)
    text, said = _open(path)
    assert text.replace("\r\n", "\n").encode() == WHOLE
    assert len(said) == (tail != TAILS["what lay there before"])
    assert all("steps.csv is damaged" in line and "of step 3" in line for line in said)


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_bytes(WHOLE.replace(b"2,0.25,", b"\0\0\0\0\0"))
    text, (said,) = _open(path)
    assert [line.split(",")[0] for line in text.splitlines()] == ["step", "1", "3"]
    assert "1 line left out" in said


@pytest.mark.parametrize("header", [b"", b"\0\0\n", b"step,other\n", b"loss,step\n", b"a" * 99_999])
def test_another_header_leaves_no_row(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_bytes(header + b"1,2\n")
    text, (said,) = _open(path)
    assert text.split() == ["step,loss,skipped"]
    assert "its last row is that of step none, and the run goes on from step 3" in said


def test_an_older_table_has_fewer_columns(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("step,loss\n1,0.5\n2,0.25\n")
    text, said = _open(path)
    assert text.split() == ["step,loss,skipped", "1,0.5,", "2,0.25,"]
    assert not said


def test_what_the_state_does_not_know_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_bytes(WHOLE)
    text, said = _open(path, until=2)
    assert [line.split(",")[0] for line in text.splitlines()] == ["step", "1", "2"]
    assert not said


def test_a_pipe_under_its_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "steps.csv")
    assert _open(tmp_path / "steps.csv")[0].split() == ["step,loss,skipped"]


def test_rows_are_read_back(tmp_path: Path) -> None:
    table = CsvTable(tmp_path / "steps.csv", FIELDS)
    table.append({"step": 1, "loss": float("nan")})
    table.append({"step": 2, "loss": float("inf"), "skipped": 1})
    assert [row["loss"] for row in table.read()] == ["nan", "inf"]
