"""What is named as a video and is none, or would have other files read."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av", reason="the extra video is not installed")

from hierseg.errors import UserError
from hierseg.inference.predictor import Predictor
from hierseg.jobs.clips import run_video
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace
from hierseg.media.video import WHOLE, Video, is_video
from support.clips import Pixels, slide, write_clip, write_sound


@pytest.fixture
def clip(tmp_path: Path, image: Pixels) -> Path:
    return write_clip(tmp_path / "clip.mp4", slide(image, 12), 10)


@pytest.mark.parametrize("container", ["mp4", "matroska", "wav", "adts", "mp3", "flac"])
def test_sound_under_a_video_s_name_is_said_so(tmp_path: Path, container: str) -> None:
    codecs = {"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac"}
    path = write_sound(tmp_path / "sound.mp4", container, codecs.get(container, "aac"))
    with pytest.raises(UserError, match=r"sound\.mp4 holds sound but no picture"):
        Video(path)


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    cover = io.BytesIO()
    Image.new("RGB", (200, 200), "red").save(cover, "JPEG")
    path = write_sound(tmp_path / "sound.mkv", cover=cover.getvalue())
    with pytest.raises(UserError, match="holds sound and a cover but no video"):
        Video(path)


PLAYLISTS = {
    "a list of files": "ffconcat version 1.0\nfile clip.mp4\n",
    "a list of HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.ts\n#EXT-X-ENDLIST\n",
    "a session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "a list of DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'type="static" mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>clip.mp4</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "a redirection": "[Reference]\nRef1=http://127.0.0.1:9/clip.mp4\n",
    "text": "once upon a time\n" * 50,
    "a drawing": '<svg xmlns="http://www.w3.org/2000/svg"><image href="clip.png"/></svg>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_nothing_beside_the_file_is_read(
    tmp_path: Path, clip: Path, image: Pixels, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "clip.ts", slide(image, 12), 10)
    path = tmp_path / "list.mp4"
    path.write_text(PLAYLISTS[kind])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"list\.mp4 is (in no format that|no video, or)"):
        Video(path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("a.mp4", b"avc1", b"zzz1"), ("a.mkv", b"V_MPEG4/ISO/AVC", b"V_NONSENSE/NONE")],
)
def test_an_unknown_codec_is_said(
    tmp_path: Path, image: Pixels, name: str, old: bytes, new: bytes
) -> None:
    path = write_clip(tmp_path / name, slide(image, 5))
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(UserError, match="compressed in a way that this build of FFmpeg does not"):
        Video(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_tags_may_be_in_any_encoding(tmp_path: Path, image: Pixels, name: str) -> None:
    codec = "mpeg4" if name == "a.avi" else "libx264"
    path = write_clip(tmp_path / name, slide(image, 5), codec=codec, title="Gr\u00fc\u00dfe!")
    content = path.read_bytes()
    assert "Gr\u00fc\u00dfe!".encode() in content
    path.write_bytes(content.replace("Gr\u00fc\u00dfe!".encode(), b"Gr\xfc\xdf\xe9\x1be!"))
    assert len(list(Video(path).frames(WHOLE))) == 5


@pytest.mark.parametrize("out", ["run:1", "data:,x", "file:y"])
@pytest.mark.parametrize("name", ["10:30.mp4", "http:x.mp4", "%d.mp4", "concat:a|b.mp4"])
def test_names_are_names(
    network: Any, space: LabelSpace, clip: Path, name: str, out: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    clip.rename(name)
    settings = RunSettings(save=("overlay", "labels"))
    predictor = Predictor(network, label_space=space)
    summary = run_video(predictor, Video(Path(name)), Path(out), settings)
    assert len(summary.records) == 12
    overlay = tmp_path / out / f"{Path(name).stem}_overlay.mp4"
    assert len(list(Video(overlay).frames(WHOLE))) == 12


def test_long_names_and_names_that_are_no_text(
    network: Any, space: LabelSpace, clip: Path, tmp_path: Path
) -> None:
    settings = RunSettings(save=("overlay", "labels"))
    predictor = Predictor(network, label_space=space)
    for index, name in enumerate((b"n" * 250 + b".mp4", b"caf\xe9 \x1b[31m.mp4")):
        path = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
        path.write_bytes(clip.read_bytes())
        out = tmp_path / f"out{index}"
        assert len(run_video(predictor, Video(path), out, settings).records) == 12
        assert len(list(out.glob("*_overlay.mp4"))) == 1


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names here")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "broken.mp4").symlink_to("nowhere")
    for name, said in (
        ("pipe.mp4", "no regular file"),
        ("zero.mp4", "no regular file"),
        ("broken.mp4", "cannot be read: no such file"),
        ("missing.mp4", "cannot be read: no such file"),
    ):
        with pytest.raises(UserError, match=said):
            Video(tmp_path / name)


def test_clips_are_known_by_their_ending_or_their_first_bytes(tmp_path: Path, clip: Path) -> None:
    for ending in (".3gp", ".flv", ".mpg", ".wmv", ".mts", ".m2ts", ".ogv", ".MOV"):
        assert is_video(f"a{ending}")
    unnamed = tmp_path / "recording"
    unnamed.write_bytes(clip.read_bytes())
    assert is_video(str(unnamed))
    assert len(list(Video(unnamed).frames(WHOLE))) == 12
    (tmp_path / "notes").write_text("ftyp is a box")
    assert not is_video(str(tmp_path / "notes"))


def test_a_frame_that_needs_too_much_memory_ends_the_clip_with_a_sentence(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hierseg.media import video as module

    taken = []

    def turn(pixels: Pixels, shape: Any) -> Any:
        taken.append(1)
        if len(taken) > 5:
            raise MemoryError
        return pixels, shape

    monkeypatch.setattr(
        module, "make_upright", lambda frame, shape: turn(np.zeros((40, 60, 3), np.uint8), shape)
    )
    video = Video(clip)
    assert len(list(video.frames(WHOLE))) == 5
    assert video.damage is not None
    assert "cannot be taken further after 0.5 s (it needs more memory" in video.damage
