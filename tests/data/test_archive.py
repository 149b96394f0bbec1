from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data import DataError, archive, open_dataset, read_image
from hierseg.errors import UserError

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
    assert np.array_equal(read_image(member), read_image(tmp_path / "x.png"))
    with archive.open_file(packed / "in" / "b" / "y.txt") as file:
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
        read_image(packed / "in" / "a" / "x.png")


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
        read_image(packed / "in" / "a" / "x.png")


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


def test_a_data_set_whose_archive_is_half_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit_trainvaltest.zip").write_bytes(b"PK half")
    with pytest.raises((UserError, OSError), match="fetch it again"):
        open_dataset("cityscapes", tmp_path, "train")
