from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hierseg.errors import UsageError, UserError
from hierseg.flow import Pair
from hierseg.propagation.triples import Triple, find_clips, has_splits
from support.clips import write_clip as write_video
from support.moving import draw_clip, write_clip

FRAMES = draw_clip(5, 32, 40)


def test_folders_are_clips_and_a_missing_number_ends_one(tmp_path: Path) -> None:
    write_clip(tmp_path / "a", FRAMES)
    write_clip(tmp_path / "b" / "c", FRAMES[:3], "left_{}_x.png")
    write_clip(tmp_path / "b" / "c", FRAMES, "right_{}_x.png")
    (tmp_path / "b" / "c" / "right_1_x.png").unlink()
    write_clip(tmp_path / "short", FRAMES[:2])
    clips = find_clips(tmp_path)
    assert [source.length for source in clips.sources] == [5, 3, 3]
    places = [(triple.clip, triple.start) for triple in clips.list_triples()]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)]
    assert clips.read(Triple(2, 0)).where == Pair("b/c/right_3_x", "b/c/right_4_x", "b/c/right_2_x")


def test_frames_come_in_order_or_backwards(tmp_path: Path) -> None:
    write_clip(tmp_path, FRAMES, "f{}.png")
    clips = find_clips(tmp_path)
    frames = clips.read(Triple(0, 1))
    assert np.array_equal(frames.before, FRAMES[1])
    assert np.array_equal(frames.target, FRAMES[3])
    assert frames.where == Pair("f2", "f3", "f1")
    backwards = clips.read(Triple(0, 1), backwards=True)
    assert np.array_equal(backwards.before, FRAMES[3])
    assert backwards.where == Pair("f2", "f1", "f3")


def test_numbers_are_ordered_as_numbers_and_strides_kept(tmp_path: Path) -> None:
    write_clip(tmp_path, FRAMES, "x{}.png")
    for number in range(5):
        (tmp_path / f"x{number}.png").rename(tmp_path / f"y{number * 5}.png")
    clips = find_clips(tmp_path)
    assert [source.length for source in clips.sources] == [5]
    assert clips.read(Triple(0, 0)).where == Pair("y5", "y10", "y0")


def test_of_cityscapes_layout_the_sequences_are_read_by_split(tmp_path: Path) -> None:
    for split in ("train", "val"):
        name = f"aachen_000000_00000{{}}_{'leftImg8bit'}.png"
        write_clip(tmp_path / "leftImg8bit_sequence" / split / "aachen", FRAMES, name)
    write_clip(tmp_path / "gtFine" / "train" / "aachen", FRAMES)
    assert has_splits(tmp_path)
    assert len(find_clips(tmp_path).sources) == 2
    clips = find_clips(tmp_path, "val")
    assert [source.length for source in clips.sources] == [5]
    assert clips.read(Triple(0, 0)).where.target == "val/aachen/aachen_000000_000002_leftImg8bit"


def test_a_tree_without_clips_and_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        find_clips(tmp_path / "none")
    write_clip(tmp_path, FRAMES[:2])
    with pytest.raises(UsageError, match="no clip of 3 frames"):
        find_clips(tmp_path)
    write_clip(tmp_path, [*FRAMES[:2], FRAMES[2][:, :36]])
    with pytest.raises(UserError, match="frame_000 and the two after it have different sizes"):
        find_clips(tmp_path).read(Triple(0, 0))


def test_a_video_is_a_clip_whose_frames_are_sought(tmp_path: Path) -> None:
    shades = [np.full((32, 48, 3), 20 * number, np.uint8) for number in range(12)]
    write_video(tmp_path / "drive.mp4", shades, keyframes=5)
    clips = find_clips(tmp_path)
    assert [source.length for source in clips.sources] == [12]
    frames = clips.read(Triple(0, 7))
    values = [float(frame.mean()) for frame in (frames.before, frames.source, frames.target)]
    assert values == pytest.approx([140, 160, 180], abs=3)
    assert frames.where.target.endswith("/000009")
    last = clips.read(Triple(0, 9))
    assert float(last.target.mean()) == pytest.approx(220, abs=3)
    beyond = clips.read(Triple(0, 11))  # a duration that promised more
    assert float(beyond.before.mean()) == pytest.approx(0, abs=3)


def test_a_video_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip", FRAMES)
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(UserError, match=r"broken\.mp4"):
        find_clips(tmp_path)
