from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from hierseg.errors import UserError
from hierseg.urls import HERE, Mirror, Mirrors, Staging, find_url

STORE = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    STORE.store.clear()
    yield
    STORE.store.clear()


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/frames/", "s3://bucket/frames"),
        (Path("s3://bucket/frames"), "s3://bucket/frames"),  # a path has lost a stroke
        ("S3://Bucket/a b", "s3://Bucket/a b"),
        ("frames/s3:/x", None),
        ("/data/frames", None),
        ("C:/frames", None),
        (None, None),
    ],
)
def test_urls_are_told_from_paths(place: str | Path | None, url: str | None) -> None:
    assert find_url(place) == url


def test_a_folder_here_that_looks_like_a_url_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s3:" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_url(Path("s3:/x")) is None


def test_placeholders_have_size_and_time_and_content_when_it_is_asked_for(tmp_path: Path) -> None:
    STORE.pipe("/b/f/deep/a.png", b"12345")
    STORE.pipe("/b/f/labels.json", b"{}")
    STORE.pipe("/b/f/one/two/polygons.json", b"[1]")
    mirror = Mirror("memory://b/f", tmp_path / "m")
    assert mirror.list() == 3
    image = mirror.folder / "deep" / "a.png"
    status = image.stat()
    assert image.read_bytes() == b"\0" * 5
    made = STORE.modified("/b/f/deep/a.png").timestamp()
    assert status.st_mtime_ns == pytest.approx(made * 1e9, abs=1e7)
    assert (mirror.folder / "labels.json").read_bytes() == b"{}"
    assert (mirror.folder / "one" / "two" / "polygons.json").read_bytes() == b"\0" * 3
    mirrors = pickle.loads(pickle.dumps(Mirrors((mirror,))))
    with mirrors.having(image, None, Path("/elsewhere")):
        assert image.read_bytes() == b"12345"
        assert image.stat().st_mtime_ns == status.st_mtime_ns
    assert image.read_bytes() == b"\0" * 5
    assert image.stat().st_mtime_ns == status.st_mtime_ns
    assert mirrors.name(image) == "memory://b/f/deep/a.png"
    assert mirrors.place("memory://b/f/deep/a.png") == image
    assert HERE.name(image) == str(image)


def test_names_that_lead_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    for name in ("../up.png", "a/../../up.png", "both", "both/b.png", "x//y.png"):
        STORE.store[f"/b/f/{name}"] = STORE.open("/b/f/ok.png", "wb")
    mirror = Mirror("memory://b/f", tmp_path / "m" / "n")
    mirror.list()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(mirror.folder) for path in files)


def test_what_is_new_changed_or_gone_here_is_so_there_and_nothing_else(tmp_path: Path) -> None:
    for name in ("kept.png", "gone.json", "changed.json"):
        STORE.pipe(f"/b/o/{name}", b"old")
    mirror = Mirror("memory://b/o", tmp_path / "m")
    mirror.list()
    (mirror.folder / "gone.json").unlink()
    (mirror.folder / "changed.json").write_bytes(b"newer")
    (mirror.folder / ".hierseg.lock").touch()
    (mirror.folder / ".hierseg-doing.json").touch()
    (mirror.folder / "sent.png").write_bytes(b"picture")
    mirror.send(mirror.folder / "sent.png")
    assert not (mirror.folder / "sent.png").exists()
    mirror.sync()
    found = {name: STORE.cat(name) for name in STORE.find("/b/o")}
    assert found == {
        "/b/o/kept.png": b"old",
        "/b/o/changed.json": b"newer",
        "/b/o/sent.png": b"picture",
    }


def test_a_file_that_lines_are_added_to_is_sent_now_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("hierseg.urls.time.monotonic", lambda: now[0])
    mirror = Mirror("memory://b/o", tmp_path / "m")
    mirror.folder.mkdir()
    journal = mirror.folder / "journal.jsonl"
    mirror.watch(journal)
    journal.write_bytes(b"1\n")
    mirror.tell()
    assert not STORE.exists("/b/o/journal.jsonl")
    now[0] = 6.0
    mirror.tell()
    journal.write_bytes(b"1\n2\n")
    mirror.tell()
    assert STORE.cat("/b/o/journal.jsonl") == b"1\n"
    now[0] = 12.0
    mirror.tell()
    assert STORE.cat("/b/o/journal.jsonl") == b"1\n2\n"


def fail_within(folders: list[Path]) -> None:
    with Staging() as staging:
        folders.append(Path(staging.bring_source("memory://b/f")))
        raise UserError(f"'{folders[0] / 'a.png'}' is damaged")


def test_a_failure_tells_the_url_and_leaves_nothing_here() -> None:
    STORE.pipe("/b/f/a.png", b"1")
    folders: list[Path] = []
    with pytest.raises(UserError, match=r"^'memory://b/f/a.png' is damaged$"):
        fail_within(folders)
    assert not folders[0].exists()


def test_of_a_single_file_no_folder_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    STORE.pipe("/b/f/a.png", b"1234")
    STORE.pipe("/b/f/b.png", b"1")
    monkeypatch.setattr(type(STORE), "find", None)
    with Staging() as staging:
        path = Path(staging.bring_source("memory://b/f/a.png"))
        assert path.name == "a.png"
        assert [file.name for file in path.parent.iterdir()] == ["a.png"]
        with staging.mirrors.having(path):
            assert path.read_bytes() == b"1234"
        assert staging.mirrors.name(path) == "memory://b/f/a.png"
