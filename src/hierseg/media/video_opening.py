"""Opening a video file by PyAV (the extra ``video``): one file, of formats that stand alone."""

from __future__ import annotations

import importlib
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hierseg.errors import MissingExtraError, UserError, reason_of

FORMATS = (
    *("apng", "asf", "asf_o", "av1", "avi", "cavsvideo", "dirac", "dnxhd", "dv", "evc", "flv"),
    *("gif", "gxf", "h261", "h263", "h264", "hevc", "ivf", "live_flv", "lxf", "m4v", "matroska"),
    *("mjpeg", "mov", "mpeg", "mpegts", "mpegvideo", "mxf", "nsv", "nut", "nuv", "obu", "ogg"),
    *("rm", "ty", "vc1", "vc1test", "vvc", "webm", "wtv", "yuv4mpegpipe"),
)
"""FFmpeg's names of the containers and bare streams that are read: each holds its frames itself.

Playlists and scripts (concat, HLS, DASH, SDP, ...) are not among them: what is named as a video
would have other files read, or the network.
"""
SOUND_FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "au", "caf", "dts", "eac3", "flac", "mp3", "tta"),
    *("w64", "wav", "wv"),
)
"""Read as far as to say what they are."""
STILL = ("attached_pic", "still_image", "timed_thumbnails")
"""What FFmpeg calls streams that are pictures, such as an album's cover."""
SCANNED_PACKETS = 2000
SCANNED_BYTES = 256 << 20
"""How far a file is looked through before a frame is decoded; frames may be large."""


def import_av() -> Any:
    """PyAV; MissingExtraError where it is not installed."""
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise MissingExtraError("reading and writing video", "video") from error
    # No messages through Python, at whatever level: a decoder's thread that has one waits for the
    # interpreter, and whoever closes the decoder holds it while waiting for that thread.
    av.logging.set_level(None)
    return av


def address_of(path: Path) -> str:
    """A path as FFmpeg takes it for that and nothing else: ``10:30.mp4`` would be a protocol."""
    return f"file:{path.absolute()}"


def open_container(path: Path) -> Any:
    """A file opened for reading; UserError where it is none, or nothing that can be read."""
    av = import_av()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise UserError(f"{path} is no regular file; name a video.")
        with path.open("rb") as file:
            if not file.read(1):
                raise UserError(f"{path} is empty; name a video.")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason_of(error)}.") from error
    try:
        return av.open(
            address_of(path),
            options={
                "format_whitelist": ",".join(FORMATS + SOUND_FORMATS),
                "protocol_whitelist": "file",
            },
            metadata_errors="replace",  # tags may be in any encoding
        )
    except (av.FFmpegError, MemoryError) as error:
        if isinstance(error, MemoryError):
            raise UserError(f"{path}: {describe_failure(error)}; make it smaller.") from error
        if isinstance(error, av.error.ArgumentError):
            raise UserError(
                f"{path} is of no format that is read as a video; convert it to MP4 or Matroska."
            ) from error
        raise UserError(
            f"{path} is no video, or is damaged or cut short ({describe_failure(error)}); "
            "repair or replace it."
        ) from error


def read_packets(container: Any, streams: Any) -> Iterator[Any]:
    """Packets of one stream or some, in the file's order, at last an empty one of each."""
    try:
        yield from container.demux(streams)
    except IndexError:
        # PyAV stumbles at the very end over streams that a file shows only on its way, as MPEG's
        # may; by then all packets were given.
        return


def describe_failure(error: BaseException) -> str:
    """What FFmpeg says went wrong, fit to stand in a sentence."""
    if isinstance(error, MemoryError):
        return "it needs more memory than this machine has"
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return text[:1].lower() + text[1:]


@dataclass
class _Track:
    """What the beginning of a file shows of one of its streams.

    Attributes:
        packets: How many came.
        times: Their times in the stream's time base, where they have one.
    """

    packets: int = 0
    times: list[int] = field(default_factory=list)


def choose_stream(container: Any, path: Path) -> tuple[int, list[float]]:
    """The stream that is the video, and what is known of its times.

    As FFmpeg chooses: one that moves before one of a single picture, then what the file calls its
    default, then the largest. A cover and other attached pictures are no video.

    Args:
        container: Opened; what follows in it is read.
        path: For the sentences.

    Returns:
        Index of the stream among all streams of the file; times in seconds, sorted, of the packets
        at the beginning, empty where they have none.

    Raises:
        UserError: There is no video that can be decoded.
    """
    moving = [stream for stream in container.streams.video if not _is_still(stream)]
    readable = [stream for stream in moving if stream.codec_context is not None]
    sized = [stream for stream in readable if stream.width and stream.height]
    if not sized:
        raise UserError(f"{path} {_why_none(container, moving, readable)}.")
    tracks = _scan(container, sized)

    def rank(stream: Any) -> tuple[bool, bool, int, int]:
        default = bool(stream.disposition & type(stream.disposition).default)
        moves = tracks[stream.index].packets > 1
        return moves, default, stream.width * stream.height, -stream.index

    best = max(sized, key=rank)
    base = best.time_base or 0
    return best.index, sorted(float(time * base) for time in set(tracks[best.index].times))


def _is_still(stream: Any) -> bool:
    kinds = type(stream.disposition)
    return any(stream.disposition & getattr(kinds, name, 0) for name in STILL)


def _why_none(container: Any, moving: Sequence[Any], readable: Sequence[Any]) -> str:
    """Why there is no video, as the rest of a sentence."""
    if readable:
        return "does not say how large its frames are, as it is damaged; repair or replace it"
    if moving:
        return "is compressed in a way that this build of FFmpeg does not read; convert it to H.264"
    if container.streams.video and container.streams.audio:
        return "holds sound and a cover but no video; name a video"
    if container.streams.video:
        return "holds a still picture but no video; name a video"
    if container.streams.audio:
        return "holds sound but no picture; name a video"
    return "holds no picture; name a video"


def _scan(container: Any, streams: Sequence[Any]) -> dict[int, _Track]:
    """Look through the beginning of a file, as far as it is sound."""
    tracks = {stream.index: _Track() for stream in streams}
    packets = size = 0
    try:
        for packet in read_packets(container, list(streams)):
            track = tracks[packet.stream.index]
            time = packet.dts if packet.pts is None else packet.pts
            packets, size = packets + 1, size + packet.size
            if packet.size and not packet.is_discard:  # an edit list leaves such frames out
                track.packets += 1
                if time is not None:
                    track.times.append(time)
            if packets >= SCANNED_PACKETS or size >= SCANNED_BYTES:
                break
    except import_av().FFmpegError:
        pass  # whoever decodes it finds the damage, and says where
    return tracks
