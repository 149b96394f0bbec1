from __future__ import annotations

import errno
import os
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data import archive, unpacking
from hierseg.data.catalog import open_dataset
from hierseg.data.reading import DataError, read_dataset_image
from hierseg.errors import UserError
from hierseg.files import UnreadableFolderError

Writer = Callable[..., Path]


@pytest.fixture
def packed(tmp_path: Path, write_image: Writer) -> Path:
    """An archive of in/a/x.png, in/b/y.png and in/b/y.txt."""
    image = write_image("x.png")
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(image, "in/a/x.png")
        file.write(image, "in/b/y.png")
        file.writestr("in/b/y.txt", "text")
        file.writestr("in/b/.hidden", "dot")
    return path


def test_members_are_files_behind_the_archives_name(packed: Path, tmp_path: Path) -> None:
    member = packed / "in" / "a" / "x.png"
    assert archive.is_file(member)
    assert archive.is_folder(packed)
    assert archive.is_folder(packed / "in" / "a")
    assert not archive.is_folder(member)
    assert not archive.is_file(packed / "in" / "a" / "none.png")
    assert archive.read_bytes(packed / "in" / "b" / "y.txt") == b"text"
    assert archive.read_bytes(packed / "in" / "b" / ".hidden") == b"dot"
    assert np.array_equal(read_dataset_image(member), read_dataset_image(tmp_path / "x.png"))
    with archive.open_dataset_file(packed / "in" / "b" / "y.txt") as file:
        assert file.read() == b"text"
    status = archive.get_status(packed / "in" / "b" / "y.txt")
    assert status == (4, packed.stat().st_mtime_ns)


def test_ordinary_files_are_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "my.zip.d" / "a.txt"
    path.parent.mkdir()
    path.write_bytes(b"abc")
    assert archive.read_bytes(path) == b"abc"
    assert archive.get_status(path) == (3, path.stat().st_mtime_ns)
    assert archive.find_files(tmp_path, "*/*.txt") == [path]
    assert not archive.is_folder(path)


def test_globs_find_the_same_in_an_archive_and_in_its_folder(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(packed) as file:
        file.extractall(folder)
    for pattern in ("in/*/*.png", "in/b/*", "**/*.png", "*.png", "in/[ab]/?.png", "in/[!a]/*.*"):
        found = [p.relative_to(packed) for p in archive.find_files(packed, pattern)]
        assert found == [p.relative_to(folder) for p in archive.find_files(folder, pattern)]
    assert len(archive.find_files(packed / "in", "*/*.png")) == 2
    assert archive.find_files(packed / "in" / "a", "*.png") == [packed / "in" / "a" / "x.png"]


def test_a_damaged_archive_is_named_with_the_cure(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(OSError, match="fetch it again") as raised:
        archive.is_folder(packed / "in")
    assert raised.value.filename == str(packed)
    with pytest.raises(DataError, match=r"data\.zip.*fetch it again"):
        read_dataset_image(packed / "in" / "a" / "x.png")


def test_damaged_names_and_methods_of_an_archive_are_named(packed: Path) -> None:
    content = packed.read_bytes()
    place = content.index(b"PK\x01\x02")
    newer = bytearray(content)
    newer[place + 6 : place + 8] = (99).to_bytes(2, "little")  # a version that nobody reads
    wrong = bytearray(content)
    wrong[place + 8 : place + 10] = (0x800).to_bytes(2, "little")  # a name in UTF-8
    wrong[place + 46] = 0xFF
    for number, damaged in enumerate((newer, wrong)):
        packed.write_bytes(bytes(damaged))
        os.utime(packed, ns=(number, number))
        with pytest.raises(OSError, match="fetch it again"):
            archive.is_folder(packed / "in")


def test_a_damaged_member_is_named(packed: Path) -> None:
    content = bytearray(packed.read_bytes())
    place = content.index(b"IDAT") + 40
    content[place : place + 9] = b"123456789"
    packed.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"x\.png' cannot be read \(the archive is damaged"):
        read_dataset_image(packed / "in" / "a" / "x.png")


def test_an_archive_that_was_replaced_is_read_anew(packed: Path) -> None:
    assert archive.is_file(packed / "in" / "a" / "x.png")
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("other.txt", "new")
    os.utime(packed, ns=(1, 1))
    assert not archive.is_file(packed / "in" / "a" / "x.png")
    assert archive.read_bytes(packed / "other.txt") == b"new"


def test_a_member_that_unpacks_to_too_much_is_refused(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 3)
    with pytest.raises(OSError, match="too large"):
        archive.read_bytes(packed / "in" / "b" / "y.txt")


METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
SIZE, PACKED, CRC = 24, 20, 16  # places in an entry of the list of members


def _write(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def _alter(path: Path, place: int, value: bytes) -> None:
    """Change the entry of the first member in the list of members."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02") + place
    content[start : start + len(value)] = value
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("method", METHODS)
def test_every_way_of_packing_is_read(tmp_path: Path, method: int) -> None:
    content = os.urandom(3000) + bytes(200_000)
    path = _write(tmp_path / "a.zip", {"x": content, "y": b""}, method)
    assert archive.read_bytes(path / "x") == content
    assert archive.read_bytes(path / "y") == b""


@pytest.mark.parametrize("method", METHODS[1:])
def test_no_more_is_unpacked_than_a_member_states(tmp_path: Path, method: int) -> None:
    path = _write(tmp_path / "a.zip", {"x": bytes(40 << 20)}, method)
    _alter(path, SIZE, struct.pack("<I", 1000))
    tracemalloc.start()
    with pytest.raises(OSError, match="unpacks to more than its archive states") as raised:
        archive.read_bytes(path / "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert raised.value.errno == errno.EFBIG
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("place", "value"),
    [(SIZE, struct.pack("<I", 10**6)), (CRC, bytes(4)), (PACKED, struct.pack("<I", 20))],
)
def test_a_member_that_is_not_what_it_states_is_damaged(
    tmp_path: Path, place: int, value: bytes
) -> None:
    for method in METHODS:
        path = _write(tmp_path / f"{method}.zip", {"x": b"content " * 1000}, method)
        _alter(path, place, value)
        with pytest.raises(OSError, match="the archive is damaged there"):
            archive.read_bytes(path / "x")


def test_a_member_that_is_encrypted_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", {"x": b"secret"})
    _alter(path, 8, b"\x01\x00")
    with pytest.raises(OSError, match="encrypted; unpack it with its password"):
        archive.read_bytes(path / "x")


def test_a_way_of_packing_that_is_unknown_is_damage(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", {"x": b"text"})
    _alter(path, 10, struct.pack("<H", 93))
    with pytest.raises(OSError, match="damaged there"):
        archive.read_bytes(path / "x")


def test_members_that_lead_elsewhere_are_not_there(tmp_path: Path) -> None:
    inner = _write(tmp_path / "inner.zip", {"i.png": b"1"})
    names = ("/abs.png", "../up.png", "a/../../b.png", "a//b.png", "./c.png", "a" * 5000 + ".png")
    members = dict.fromkeys((*names, "in/d.png"), b"1") | {"in/n.zip": inner.read_bytes()}
    path = _write(tmp_path / "a.zip", members)
    assert archive.find_files(path, "**/*.png") == [path / "in/d.png"]
    assert not archive.is_file(path / "../up.png")
    assert not archive.is_file(path / "in/n.zip/i.png")
    assert not archive.is_folder(path / "in/n.zip/i")


def test_a_name_of_slashes_takes_no_memory(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", {"/".join("a" * 32_000): b"1", "b/c.png": b"1"})
    tracemalloc.start()
    assert archive.find_files(path, "*/*") == [path / "b/c.png"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_list_of_members_has_a_bound(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_DIRECTORY", 150)
    with pytest.raises(OSError, match="list of members has more than 0 MB; unpack it"):
        archive.is_folder(packed / "in")


@pytest.mark.slow
def test_many_members_are_found_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(300_000):
            file.writestr(f"leftImg8bit/train/city{number % 50}/{number:06}_leftImg8bit.png", b"")
    start = time.process_time()
    assert len(archive.find_files(path / "leftImg8bit" / "train", "*/*_leftImg8bit.png")) == 300_000
    assert archive.is_folder(path / "leftImg8bit")
    assert not archive.is_folder(path / "leftImg8")
    assert time.process_time() - start < 30


def test_globs_follow_links_and_end_at_loops(tmp_path: Path, write_image: Writer) -> None:
    write_image("else/where/x.png")
    write_image("root/y.png")
    root = tmp_path / "root"
    (root / "linked").symlink_to(tmp_path / "else")
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to("nowhere.png")
    found = [path.relative_to(root).as_posix() for path in archive.find_files(root, "**/*.png")]
    assert found == ["gone.png", "linked/where/x.png", "y.png"]
    assert archive.find_files(root, "linked/*/*.png") == [root / "linked/where/x.png"]
    assert archive.find_files(root, "none/*.png") == []
    assert archive.find_files(root, "y.png") == [root / "y.png"]


def test_a_glob_looks_only_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("a/images/1.png", "a/labels/1.png", "b/images/deep/2.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    scan, seen = os.scandir, set()

    def watch(path: Path) -> object:
        seen.add(path.relative_to(tmp_path).as_posix())
        if path.name == "images" and path.parent.name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", watch)
    assert archive.find_files(tmp_path, "a/im*/*.png") == [tmp_path / "a/images/1.png"]
    assert seen == {"a", "a/images"}
    with pytest.raises(UnreadableFolderError, match=r"b/images' cannot be read.*permission denied"):
        archive.find_files(tmp_path, "*/images/*.png")


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(OSError, match="no regular file"):
            archive.read_bytes(path)


def test_a_data_set_whose_archive_is_half_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit_trainvaltest.zip").write_bytes(b"PK half")
    with pytest.raises((UserError, OSError), match="fetch it again"):
        open_dataset("cityscapes", tmp_path, "train")
