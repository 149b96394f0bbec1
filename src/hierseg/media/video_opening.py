"""Opens a video file with PyAV (the extra ``video``), for formats that refer to no other files."""

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
"""FFmpeg's names of the containers and raw streams that are read. Each holds its own frames.

Playlists and scripts (concat, HLS, DASH, SDP, ...) are excluded: a file named as a video could make
FFmpeg read other files, or the network.
"""
SOUND_FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "au", "caf", "dts", "eac3", "flac", "mp3", "tta"),
    *("w64", "wav", "wv"),
)
"""Formats of sound, which are opened only to say so in the error."""
STILL = ("attached_pic", "still_image", "timed_thumbnails")
"""FFmpeg's flags for streams that are still pictures, such as an album's cover."""
SCANNED_PACKETS = 2000
SCANNED_BYTES = 256 << 20
"""Most packets, and most bytes, that are scanned at the beginning of a file."""


def import_av() -> Any:
    """The module PyAV; MissingExtraError if it is not installed."""
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise MissingExtraError("reading and writing video", "video") from error
    # Logging through Python can deadlock: a decoder's thread that logs waits for the GIL, which the
    # thread that closes the decoder holds while it waits for the decoder's thread.
    av.logging.set_level(None)
    return av


def address_of(path: Path) -> str:
    """A path as a ``file:`` URL, since FFmpeg would take ``10:30.mp4`` for a protocol."""
    return f"file:{path.absolute()}"


def open_container(path: Path) -> Any:
    """Open a video file for reading; UserError if it is not a regular file or cannot be read."""
    av = import_av()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe could wait for ever
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
                f"{path} is in no format that is read as a video; convert it to MP4 or Matroska."
            ) from error
        raise UserError(
            f"{path} is no video, or is damaged or cut short ({describe_failure(error)}); "
            "repair or replace it."
        ) from error


def read_packets(container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets of one or several streams in the file's order, and at the end an empty one
    of each stream.
    """
    try:
        yield from container.demux(streams)
    except IndexError:
        # PyAV fails at the very end if further streams appear within the file, as in MPEG; all
        # packets have been yielded by then.
        return


def describe_failure(error: BaseException) -> str:
    """The error of FFmpeg as part of a sentence."""
    if isinstance(error, MemoryError):
        return "it needs more memory than this machine has"
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return text[:1].lower() + text[1:]


@dataclass
class _Track:
    """Packets of one stream at the beginning of a file.

    Attributes:
        packets: Number of packets.
        times: Times of those that have one, in the stream's time base.
    """

    packets: int = 0
    times: list[int] = field(default_factory=list)


def choose_stream(container: Any, path: Path) -> tuple[int, list[float]]:
    """Choose the video stream of a file, as FFmpeg does.

    A stream with several pictures comes before one with a single picture, then the file's default
    stream, then the largest. Covers and other attached pictures do not count.

    Args:
        container: The opened file; its beginning is read.
        path: The file's path, for messages.

    Returns:
        Index of the stream among all streams of the file; and the sorted times in seconds of its
        packets at the beginning, empty if they have none.

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
    """Why the file has no video, as the rest of a sentence, with the cure."""
    if readable:
        return "is damaged and does not state the size of its frames; repair or replace it"
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
    """Scan the beginning of a file, up to any damage."""
    tracks = {stream.index: _Track() for stream in streams}
    packets = size = 0
    try:
        for packet in read_packets(container, list(streams)):
            track = tracks[packet.stream.index]
            time = packet.dts if packet.pts is None else packet.pts
            packets, size = packets + 1, size + packet.size
            if packet.size and not packet.is_discard:  # frames that an edit list leaves out
                track.packets += 1
                if time is not None:
                    track.times.append(time)
            if packets >= SCANNED_PACKETS or size >= SCANNED_BYTES:
                break
    except import_av().FFmpegError:
        pass  # decoding will find the damage, and report where
    return tracks
