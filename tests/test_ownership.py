"""The files that a command may replace, and its record of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hierseg.errors import UsageError
from hierseg.ownership import (
    FileRecord,
    find_foreign,
    is_inside,
    require_new,
    require_own_json,
    require_own_png,
    sign_png,
    with_header,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(25) + b"rest"


def test_what_is_in_the_record_may_be_replaced_and_nothing_else(tmp_path: Path) -> None:
    record = FileRecord(tmp_path, "evaluate")
    record.add("a.png", "b/c.png")
    record.close()
    (tmp_path / "a.png").touch()
    record = FileRecord(tmp_path, "evaluate")
    record.require(["a.png", "b/c.png", "new.png"], "--out")
    (tmp_path / "new.png").touch()
    with pytest.raises(UsageError, match=r"new\.png' exists.*hierseg evaluate.*--to"):
        record.require(["a.png", "new.png"], "--to")
    record.require(["new.png"], "--out", overwrite=True)
    record.require(["new.png"], "--out", is_own=lambda file: file == "new.png")
    for other in ("predict", "eval", "samples"):
        with pytest.raises(UsageError):
            FileRecord(tmp_path, other).require(["a.png"], "--out")
    (tmp_path / "A.png").symlink_to("a.png")
    with pytest.raises(UsageError):
        record.require(["A.png"], "--out")


def test_parts_of_one_run_know_each_others_files(tmp_path: Path) -> None:
    first, second = (FileRecord(tmp_path, "evaluate", part) for part in ("", "1"))
    second.add("b.png")
    (tmp_path / "b.png").touch()
    first.require(["b.png"], "--out")
    second.remove()
    assert not list(tmp_path.glob(".*"))


def test_a_record_that_is_torn_or_forged_says_what_is_sound_of_it(tmp_path: Path) -> None:
    FileRecord(tmp_path, "evaluate").add("a.png")
    path = tmp_path / ".hierseg-evaluate.jsonl"
    with path.open("ab") as file:
        file.write(b'"../x"\n"/etc/passwd"\n3\n[1]\n\xff\n\0\0\n"\\u0000"\n"b.p')
    record = FileRecord(tmp_path, "evaluate")
    assert "a.png" in record
    for file_name in ("../x", "/etc/passwd", "b.p", "\0"):
        assert file_name not in record
    record.add("c.png")
    again = FileRecord(tmp_path, "evaluate")
    assert "a.png" in again
    assert "c.png" in again
    path.unlink()
    os.mkfifo(path)
    assert "a.png" not in FileRecord(tmp_path, "evaluate")  # and it does not wait


def test_a_record_leads_to_no_file_of_others(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("dear")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".hierseg-evaluate.jsonl").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic"):
        FileRecord(tmp_path / "out", "evaluate").add("a.png")
    assert precious.read_text() == "dear"


def test_a_folder_is_nothing_that_could_be_lost_and_a_link_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    names = ["folder", "link", "none", "x" * 300, "a\0b"]
    assert find_foreign(tmp_path, names, lambda _: False) == ["link"]


def test_json_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    require_own_json("--json", path, "check", False)
    path.write_text(json.dumps(with_header({"x": 1}, "check")))
    require_own_json("--json", path, "check", False)
    with pytest.raises(UsageError, match="--json"):
        require_own_json("--json", path, "evaluate", False)
    require_own_json("--json", path, "evaluate", True)
    require_own_json("--json", Path("/dev/null"), "check", False)


def test_a_picture_says_who_drew_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    require_own_png("--out", path, "evaluate", False)
    path.write_bytes(sign_png(PNG, "evaluate"))
    require_own_png("--out", path, "evaluate", False)
    for content in (PNG, sign_png(PNG, "calibrate"), b""):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="did not draw it"):
            require_own_png("--out", path, "evaluate", False)


def test_what_says_nothing_of_its_origin_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    require_new("--out", path, False)
    path.touch()
    with pytest.raises(UsageError, match="--overwrite"):
        require_new("--out", path, False)
    require_new("--out", path, True)
    require_new("--out", Path("/dev/null"), False)


def test_a_place_in_a_folder(tmp_path: Path) -> None:
    assert is_inside("a/b.png")
    assert not any(map(is_inside, ("/a", "../a", "a/../../b", "a\0", "\ud800")))
