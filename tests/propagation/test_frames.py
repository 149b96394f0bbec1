"""Frames and label maps of a user's own: numbers, clips, videos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.support.clips import write_clip

from hierseg.errors import UserError
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.propagation import CityscapesSequence, FrameFolder, FrameVideo, find_label_space
from hierseg.propagation.frames import MissingFrameError

SPACE = LabelSpace(
    name="two",
    names=("road", "sky"),
    colors=((1, 2, 3), (4, 5, 6)),
    raw_ids=(7, 23),
    ignored_raw_ids=(0,),
)


def save(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((16, 20, 3), value, np.uint8))


def save_labels(path: Path, value: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((16, 20), value, np.uint8))


def test_neighbours_are_told_by_their_numbers(tmp_path: Path) -> None:
    for number in (0, 5, 10, 20):  # every fifth frame was kept, and one of those is missing
        save(tmp_path / "frames" / f"a_{number:04}.png", number)
        save(tmp_path / "frames" / f"b_{number:04}.png", 100 + number)
    save_labels(tmp_path / "labels" / "a_0010.png")
    source = FrameFolder(tmp_path / "frames", tmp_path / "labels", SPACE)
    (anchor,) = source.anchors
    assert source.read(anchor, 0).pixels[0, 0, 0] == 10
    assert source.read(anchor, -1).pixels[0, 0, 0] == 5
    assert source.read(anchor, -2).place == "a_0000"
    with pytest.raises(MissingFrameError):
        source.read(anchor, 1)
    assert source.read(anchor, 2).pixels[0, 0, 0] == 20
    with pytest.raises(MissingFrameError):
        source.read(anchor, -3)


def test_without_numbers_they_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    for value, name in enumerate(("begin", "end", "middle")):
        save(tmp_path / "frames" / "one" / f"{name}.png", value)
        save(tmp_path / "frames" / "two" / f"{name}.png", 100 + value)
    save_labels(tmp_path / "labels" / "one" / "end.png")
    save_labels(tmp_path / "labels" / "one" / "nowhere.png")
    source = FrameFolder(tmp_path / "frames", tmp_path / "labels", SPACE)
    (anchor,) = source.anchors
    assert [int(source.read(anchor, s).pixels[0, 0, 0]) for s in (-1, 0, 1)] == [0, 1, 2]
    assert anchor.key == "train/one/end"
    assert "no image below" in source.skipped["train/one/nowhere"]
    assert source.name_frame(anchor, 0) == "one/end"
    made = {source.name_frame(anchor, step) for step in range(-5, 6)}
    assert len(made) == 11


def test_label_maps_are_read_as_train_ids(tmp_path: Path) -> None:
    save(tmp_path / "frames" / "1.png", 1)
    save_labels(tmp_path / "labels" / "1.png", 23)
    source = FrameFolder(tmp_path / "frames", tmp_path / "labels", SPACE)
    assert (source.read_labels(source.anchors[0]) == 1).all()
    assert source.label_space.raw_ids == (0, 1)
    assert source.label_space.void_raw_id == 255
    save_labels(tmp_path / "labels" / "1.png", 99)
    with pytest.raises(UserError, match=r"1\.png' cannot be used.*99"):
        source.read_labels(source.anchors[0])


def test_frames_of_a_video_are_told_by_the_number_in_the_label_maps_name(tmp_path: Path) -> None:
    frames = [np.full((32, 48, 3), 20 * n, np.uint8) for n in range(9)]
    video = tmp_path / "drive.mp4"
    write_clip(video, frames)
    for name in ("drive_000006", "drive_000002", "unnumbered"):
        save_labels(tmp_path / "labels" / f"{name}.png")
    source = FrameVideo(video, tmp_path / "labels", SPACE, 2)
    assert [anchor.number for anchor in source.anchors] == [2, 6]
    assert "end its name with the frame's number" in source.skipped["train/unnumbered"]
    for anchor in (*source.anchors, source.anchors[0]):  # the first is decoded once more
        for step in (0, 1, -1, 2, -2):
            seen = float(source.read(anchor, step).pixels.mean())
            assert seen == pytest.approx(20 * (anchor.number + step), abs=6)
    with pytest.raises(MissingFrameError, match="frame 9 of"):
        source.read(source.anchors[1], 3)


def test_ids_of_which_nobody_says_what_they_mean_are_classes(tmp_path: Path) -> None:
    for value in (3, 9, 255):
        save_labels(tmp_path / f"{value}.png", value)
    space = find_label_space(tmp_path)
    assert space.names == ("class 3", "class 9")
    assert space.encode(np.array([3, 9, 255])).tolist() == [0, 1, 255]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no label maps"):
        find_label_space(tmp_path / "empty")


def test_whole_clips_are_kept_for_validation(tmp_path: Path) -> None:
    for clip in "abcde":
        for number in range(4):
            save(tmp_path / "frames" / clip / f"{number}.png", number)
        for number in (1, 2):
            save_labels(tmp_path / "labels" / clip / f"{number}.png")

    def held(share: float) -> list[str]:
        source = FrameFolder(tmp_path / "frames", tmp_path / "labels", SPACE, share)
        assert all(anchor.alone == (anchor.split == "val") for anchor in source.anchors)
        return [anchor.key for anchor in source.anchors if anchor.alone]

    assert held(0.2) == ["val/e/1", "val/e/2"]
    assert len(held(0.99)) == 8
    assert held(0) == []
    for clip in "bcde":  # of one clip the last ones
        for path in (tmp_path / "labels" / clip).iterdir():
            path.unlink()
    assert held(0.2) == ["val/a/2"]
    (tmp_path / "labels" / "a" / "2.png").unlink()
    assert held(0.2) == []


def test_a_folder_without_sequences_or_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"leftImg8bit_sequence_trainvaltest\.zip"):
        CityscapesSequence(tmp_path, "train")
    (tmp_path / "leftImg8bit_sequence").mkdir()
    with pytest.raises(UserError, match="holds no gtFine/train/CITY"):
        CityscapesSequence(tmp_path, "train")
    save(tmp_path / "frames" / "1.png", 1)
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match="holds no label maps"):
        FrameFolder(tmp_path / "frames", tmp_path / "labels", CITYSCAPES)
