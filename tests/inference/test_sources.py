from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.errors import UsageError
from hierseg.inference import find_images


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
