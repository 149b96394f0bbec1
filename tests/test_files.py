"""Small files of users, and folders held by one process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hierseg.errors import UserError, make_printable
from hierseg.files import (
    LARGEST_TEXT,
    LOCK,
    MOST_VISITS,
    FolderLock,
    UnreadableFolderError,
    open_to_append,
    read_text_file,
    refuse_unreadable,
    remove_leftovers,
    replacing,
    saving,
    shorten_name,
    walk_files,
    write_bytes,
)

HOLD = """
import sys, time
from collections.abc import Iterator
from pathlib import Path
from hierseg.files import (
    LARGEST_TEXT,
    MOST_VISITS,
    FolderLock,
    UnreadableFolderError,
    read_text_file,
    refuse_unreadable,
    walk_files,
)
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_text_file(path) == "{}"


def test_what_is_no_small_text_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe, large, other = tmp_path / "pipe", tmp_path / "large", tmp_path / "other"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    other.write_bytes(b"\xff\xfe\x00")
    start = time.monotonic()
    for path, reason in (
        (pipe, "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (large, "more than 16 MB"),
        (other, "not text in UTF-8"),
        (tmp_path / "none", "no such file"),
        (tmp_path, "folder"),
    ):
        with pytest.raises(UserError, match=reason):
            read_text_file(path, "description")
    assert time.monotonic() - start < 5


def test_a_folder_is_held_by_one_process_until_it_dies(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match=rf"process {holder.pid} on .*since 20.*another --to"),
            FolderLock(tmp_path, "--to"),
        ):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with FolderLock(tmp_path):
        pass


def test_a_process_does_not_hold_a_folder_twice(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        with pytest.raises(UserError, match="this process"), FolderLock(tmp_path):
            pass
        held = subprocess.run(
            [sys.executable, "-c", HOLD, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "another run writes into" in held.stderr  # the refusal did not let it go
    with FolderLock(tmp_path):
        pass


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert make_printable("a\x1b[31m\nb\x9bc\u202ed é") == r"a\x1b[31m\x0ab\x9bc\x202ed é"


def _walk(folder: Path, with_hidden: bool = False) -> tuple[list[str], dict[str, str]]:
    left: dict[str, str] = {}

    def note(path: Path, error: OSError) -> None:
        left[path.relative_to(folder).as_posix()] = str(error.strerror)

    found = [
        path.relative_to(folder).as_posix()
        for path in walk_files(folder, note, with_hidden=with_hidden)
    ]
    return found, left


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    for path in (root / "b" / "1.png", other / "deep" / "2.png", root / ".hidden" / "3.png"):
        path.parent.mkdir(parents=True)
        path.touch()
    (root / ".4.png").touch()
    (root / "a").symlink_to(other)
    (root / "c").symlink_to(other / "deep")
    (root / "b" / "up").symlink_to(root)
    (other / "back").symlink_to(root)
    (root / "gone.png").symlink_to("nowhere.png")
    (root / "self.png").symlink_to("self.png")
    found, left = _walk(root)
    assert found == ["gone.png", "self.png", "a/deep/2.png", "b/1.png", "c/2.png"]
    assert not left
    assert {".4.png", ".hidden/3.png"} < set(_walk(root, with_hidden=True)[0])


def test_links_that_make_two_ways_of_each_folder_end(tmp_path: Path) -> None:
    for depth in range(30):
        folder = tmp_path / str(depth)
        folder.mkdir()
        (folder / "x").touch()
        if depth:
            (tmp_path / str(depth - 1) / "a").symlink_to(folder)
            (tmp_path / str(depth - 1) / "b").symlink_to(folder)
    found, left = _walk(tmp_path / "0")
    assert len(found) <= 30 * MOST_VISITS
    assert set(left.values()) == {f"more than {MOST_VISITS} links lead there"}


def test_folders_deeper_than_a_path_may_be_are_said(tmp_path: Path) -> None:
    home = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(1200):
            Path("long").mkdir()
            os.chdir("long")
        os.chdir(home)
        found, left = _walk(tmp_path)
    finally:
        os.chdir(home)
        os.close(home)
        subprocess.run(["rm", "-rf", str(tmp_path / "long")], check=True)
    assert not found
    assert [reason.lower() for reason in left.values()] == ["file name too long"]


def test_folders_that_cannot_be_listed_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    (tmp_path / "unmounted").symlink_to("/nowhere/at/all")
    scan = os.scandir

    def refuse(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "a":  # root may read all
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found, left = _walk(tmp_path)
    assert found == ["b/1.png"]
    assert left == {"a": "Permission denied", "unmounted": "No such file or directory"}
    with pytest.raises(UnreadableFolderError, match=r"/a' cannot be read.*permission denied"):
        list(walk_files(tmp_path, refuse_unreadable))


def test_a_lock_is_gone_when_it_is_let_go_and_leads_nowhere(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert list(tmp_path.iterdir()) == []
    precious = tmp_path / "precious"
    precious.write_text("dear")
    (tmp_path / LOCK).symlink_to(precious)
    with pytest.raises(OSError, match="symbolic"), FolderLock(tmp_path):
        pass
    assert precious.read_text() == "dear"


def test_many_that_want_a_folder_have_it_one_at_a_time(tmp_path: Path) -> None:
    """Each removes the file by which it holds the folder, while others open it."""
    script = """
import sys
from pathlib import Path
from hierseg.errors import UserError
from hierseg.files import FolderLock
out, got = Path(sys.argv[1]), 0
while got < 40:
    try:
        with FolderLock(out):
            mine = out / "mine"
            mine.touch(exist_ok=False)
            mine.unlink()
            got += 1
    except UserError:
        pass
"""
    command = [sys.executable, "-c", script, str(tmp_path / "out")]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]


def test_a_line_that_was_cut_off_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"", b"1\n", b"1\n2"):
        path.write_bytes(content)
        with open_to_append(path) as file:
            file.write(b"3\n")
        assert path.read_bytes() == {b"1\n2": b"1\n2\n3\n"}.get(content, content + b"3\n")


def test_names_that_are_too_long_stay_apart() -> None:
    assert shorten_name("a" * 244) == "a" * 244
    names = [shorten_name(f"{number}{'ä' * 122}") for number in (1, 2)]
    assert len(set(names)) == 2
    assert all(len(os.fsencode(name)) <= 244 and name.endswith("ää") for name in names)


def _dead() -> int:
    """The number of a process that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_that_is_replaced_is_whole_or_as_it_was(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    with replacing(path, durable=durable) as part:
        part.write_text("one")
        assert not path.exists()
    with pytest.raises(KeyError), replacing(path, durable=durable) as part:
        part.write_text({"half": "two"}["none"])
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_passing_files_may_lie_elsewhere_and_two_at_once(tmp_path: Path) -> None:
    work, (a, b) = tmp_path / "work", (tmp_path / name for name in ("a", "b"))
    work.mkdir()
    with replacing(a, work) as one, replacing(b, work) as two:
        assert one != two
        assert one.parent == two.parent == work
        one.write_text("a")
        two.write_text("b")
    assert (a.read_text(), b.read_text()) == ("a", "b")
    assert not list(work.iterdir())


def test_an_error_names_the_file_and_not_the_passing_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as caught:
        write_bytes(tmp_path / "folder", b"x")
    assert caught.value.filename == str(tmp_path / "folder")
    with pytest.raises(FileNotFoundError) as other, replacing(tmp_path / "a"):
        (tmp_path / "absent").read_bytes()
    assert other.value.filename == str(tmp_path / "absent")
    with (
        pytest.raises(UserError, match=r"nowhere.a cannot be written"),
        saving(tmp_path / "nowhere" / "a"),
    ):
        pass


def test_what_killed_processes_were_writing_goes_by_folder_or_by_file(tmp_path: Path) -> None:
    dead, names = _dead(), []

    def begin(path: Path, process: int) -> Path:
        with replacing(path) as part:
            names.append(part.name)
        left = path.with_name(names[-1].replace(f"-{os.getpid()}-", f"-{process}-"))
        left.write_text("half")
        path.unlink()
        return left

    of_a, of_b = begin(tmp_path / "a", dead), begin(tmp_path / "b", dead)
    living = begin(tmp_path / "a", os.getpid())
    remove_leftovers(tmp_path / "a")
    assert not of_a.exists()
    assert of_b.exists()
    remove_leftovers(tmp_path)
    assert not of_b.exists()
    assert living.exists()
