from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.errors import UsageError
from hierseg.media.sources import find_images, find_sources


def _touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _names(images: list[Path], root: Path) -> list[str]:
    return [image.relative_to(root).as_posix() for image in images]


def test_a_folder_gives_all_images_below_it_and_nothing_else(tmp_path: Path) -> None:
    _touch(tmp_path, "b.JPG", "a.png", "deep/er/c.tiff", "notes.txt", ".hidden.png", ".git/d.png")
    assert _names(find_images([tmp_path]), tmp_path) == ["a.png", "b.JPG", "deep/er/c.tiff"]


def test_sources_keep_their_order_and_no_file_comes_twice(tmp_path: Path) -> None:
    _touch(tmp_path, "z/1.png", "a/1.png", "odd.name")
    sources = [tmp_path / "z", tmp_path / "odd.name", tmp_path, tmp_path / "a" / ".." / "z/1.png"]
    assert _names(find_images(sources), tmp_path) == ["z/1.png", "odd.name", "a/1.png"]


def test_globs_reach_into_subfolders(tmp_path: Path) -> None:
    _touch(tmp_path, "x/1_left.png", "x/y/2_left.png", "x/1_right.png", "x/left.txt")
    found = find_images([str(tmp_path / "**" / "*left*")])
    assert _names(found, tmp_path) == ["x/1_left.png", "x/y/2_left.png"]


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    _touch(tmp_path, "frame[1].png", "frame1.png")
    assert _names(find_images([tmp_path / "frame[1].png"]), tmp_path) == ["frame[1].png"]


def test_the_outputs_folder_inside_a_source_is_left_out(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "out/a_color.png", "out/page/a_image.jpg")
    assert _names(find_images([tmp_path], exclude=tmp_path / "out"), tmp_path) == ["a.png"]
    pattern = str(tmp_path / "**" / "*.png")
    assert _names(find_images([pattern], exclude=tmp_path / "out"), tmp_path) == ["a.png"]
    with pytest.raises(UsageError, match="--out"):
        find_images([tmp_path], exclude=tmp_path)


def test_a_broken_link_is_listed_for_the_run_to_report(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert _names(find_images([tmp_path]), tmp_path) == ["gone.jpg"]
    assert _names(find_images([tmp_path / "gone.jpg"]), tmp_path) == ["gone.jpg"]


@pytest.mark.parametrize(
    ("source", "message"),
    [("nowhere", "does not exist"), ("empty", "holds no images"), ("*.png", "no image matches")],
)
def test_what_gives_no_image_is_wrong_usage(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message) as raised:
        find_images([tmp_path / source])
    assert source in str(raised.value)
    with pytest.raises(UsageError, match="at least one"):
        find_images([])


def test_a_tilde_that_is_nobody_s_is_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, "~note.jpg")
    monkeypatch.chdir(tmp_path)
    assert find_images(["~note.jpg"]) == [Path("~note.jpg")]


def test_what_looks_like_a_picture_or_a_clip_is_done_or_listed(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "b.HEIC", "c.avif", "d.dng", "e.3gp", "f.FLV", "notes.txt", "g.psd")
    (tmp_path / "without_ending").write_bytes(b"\xff\xd8\xff\xe0 a JPEG")
    (tmp_path / "clip").write_bytes(b"\0\0\0\x20ftypisom\0\0\0\0isomiso2")
    found = find_sources([tmp_path])
    assert _names(found.images, tmp_path) == ["a.png", "b.HEIC", "c.avif", "without_ending"]
    assert {path.name for path in found.left_out} == {"d.dng", "e.3gp", "f.FLV", "g.psd", "clip"}
    assert "raw photograph" in found.left_out[tmp_path / "d.dng"]
    command = f"`hierseg predict {tmp_path / 'e.3gp'} --out FOLDER`"
    assert command in found.left_out[tmp_path / "e.3gp"]
    assert found.describe() == "4 images found, 5 left out"
    assert find_sources([str(tmp_path / "*")]) == found


def test_links_are_followed_once_round_and_unreadable_folders_are_named(tmp_path: Path) -> None:
    _touch(tmp_path, "in/a.png", "else/b.png", "else/deep/c.png")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "else")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "else" / "deep" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "gone").symlink_to(tmp_path / "nowhere")
    root = tmp_path / "in"
    expected = ["a.png", "linked/b.png", "linked/deep/c.png"]
    for source in (root, root / "**" / "*.png", root / "**"):
        found = find_sources([str(source)])
        assert _names(found.images, root) == expected
        assert list(found.left_out) == [root / "gone"]
    assert _names(find_images([str(root / "**" / "deep")]), root) == ["linked/deep/c.png"]


def test_why_a_pattern_gives_nothing_is_true(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "b.jpg", "clips/c.mp4")
    with pytest.raises(UsageError, match=r"lie in the folder of the outputs.*another --out"):
        find_images([str(tmp_path / "*.jpg")], exclude=tmp_path)
    assert find_images([tmp_path / "a.jpg"], exclude=tmp_path) == [tmp_path / "a.jpg"]
    with pytest.raises(UsageError, match=r"c\.mp4: a video.*hierseg predict"):
        find_images([tmp_path / "clips"])
