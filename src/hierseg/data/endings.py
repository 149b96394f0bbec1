"""What a file is by its name and by its first bytes: a picture, a clip, or neither.

``tell`` is for a search through folders: a file that looks like a picture or a clip is segmented,
or listed with the reason why it is not.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Literal, NamedTuple

HEIF_ENDINGS = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})
"""Read by the extra ``heif``."""
IMAGE_ENDINGS = frozenset(
    {".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc"}
    | {".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm"}
    | {".tif", ".tiff", ".webp"}
    | HEIF_ENDINGS
)
"""Of files that are read as pictures."""
VIDEO_ENDINGS = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".ivf", ".m1v", ".m2t"}
    | {".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg"}
    | {".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv"}
    | {".y4m"}
)
"""Of files that are read as clips."""
AMBIGUOUS_ENDINGS = frozenset({".ts", ".mts", ".dv", ".rm"})
"""Endings of clips that other files have too, as TypeScript: in a folder their bytes decide."""

RAW = "a raw photograph, which is not developed here; save it as JPEG, TIFF or PNG"
_DRAWING = "a drawing, not pixels; save it as PNG"
_LAYERS = "an image editor's own file; save it as PNG"
_BRIGHTNESS = "a high-dynamic-range picture; save it as PNG or JPEG"
_OTHER = "of a format that is not read; save it as PNG or JPEG"
RAW_ENDINGS = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".gpr", ".iiq", ".kdc"}
    | {".mef", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf"}
    | {".srw", ".x3f"}
)
KNOWN_UNREADABLE: dict[str, str] = {
    **dict.fromkeys(RAW_ENDINGS, RAW),
    **dict.fromkeys((".eps", ".svg", ".svgz", ".wmf", ".emf"), _DRAWING),
    **dict.fromkeys((".psd", ".psb", ".xcf"), _LAYERS),
    **dict.fromkeys((".exr", ".hdr", ".pfm"), _BRIGHTNESS),
    **dict.fromkeys(
        (".dds", ".fits", ".ico", ".jxl", ".jxr", ".pcx", ".qoi", ".ras", ".sgi", ".tga", ".wdp"),
        _OTHER,
    ),
}
"""Endings of pictures that are not read -> why, and the cure: ``NAME: {reason}.``"""

HEAD = 1024
"""First bytes by which a file is recognised."""


class Looks(NamedTuple):
    """What a file looks like.

    Attributes:
        kind: A picture or a clip.
        reason: Why it is not read, with the cure, as in ``KNOWN_UNREADABLE``; empty where reading
            it can be tried.
    """

    kind: Literal["image", "video"]
    reason: str = ""


def tell(path: Path) -> Looks | None:
    """What a file on the disk looks like, by its name, else by its first bytes; None for neither.

    A file that cannot be opened, a pipe and a device are judged by their names alone.
    """
    by_name = tell_by_name(path)
    if by_name is not None and path.suffix.lower() not in AMBIGUOUS_ENDINGS:
        return by_name
    return tell_by_bytes(read_head(path))


def tell_by_name(path: Path) -> Looks | None:
    """What a file is called; nothing is opened."""
    ending = path.suffix.lower()
    if ending in IMAGE_ENDINGS:
        return Looks("image")
    if ending in VIDEO_ENDINGS:
        return Looks("video")
    return Looks("image", KNOWN_UNREADABLE[ending]) if ending in KNOWN_UNREADABLE else None


def read_head(path: Path, count: int = HEAD) -> bytes:
    """The first bytes of a regular file; none of anything else."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with os.fdopen(handle, "rb") as file:
            return file.read(count) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    except (OSError, ValueError):  # ValueError of a name that no file can have
        return b""


_BINARY = getattr(os, "O_BINARY", 0)


def tell_by_bytes(head: bytes) -> Looks | None:
    """What a file's first bytes say, ``HEAD`` of them."""
    if head[4:8] == b"ftyp":
        return _tell_by_brand(head)
    for begins, looks in _BEGINNINGS:
        if head.startswith(begins):
            return looks
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head.startswith(b"OggS"):  # sound is stored so too
        return Looks("video") if b"theora" in head[:128] else None
    if head[4:8] in (b"moov", b"mdat", b"wide") or _is_transport_stream(head):
        return Looks("video")
    if any(pattern.match(head) for pattern in _PATTERNS):
        return Looks("image")
    return Looks("image", _DRAWING) if _SVG.match(head) and b"<svg" in head else None


def explain_unreadable(path: Path | None, head: bytes) -> str:
    """Why a file cannot be read as a picture, by its name and first bytes, with the cure.

    Empty if reading may be tried, as with a picture that has the ending of another kind of file.
    Raw photographs are refused by their ending: their bytes are TIFF, whose picture is a thumbnail.
    """
    ending = "" if path is None else path.suffix.lower()
    looks = tell_by_bytes(head)
    if looks is not None:
        is_tiff = head.startswith((b"II*\0", b"MM\0*"))
        reason = RAW if is_tiff and ending in RAW_ENDINGS else looks.reason
        return (
            "a video; give it the ending of one, such as .mp4" if looks.kind == "video" else reason
        )
    for begins, reason in _NO_PICTURES:
        if head[:64].lstrip().lower().startswith(begins):
            return reason
    return KNOWN_UNREADABLE.get(ending, "")


_NO_PICTURES = (
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself by `git lfs pull`"),
    (b"<!doctype html", "a web page, not the picture; download that again"),
    (b"<html", "a web page, not the picture; download that again"),
    (b"%pdf-", "a document; save its page as PNG"),
    (b"%!", _DRAWING),
)


def is_heif(head: bytes) -> bool:
    """Whether a file begins as one of HEIF does, HEIC above all, which ``heif`` reads."""
    brands = _list_brands(head)
    return bool(brands) and bool(_HEIF & set(brands)) and not _AVIF & set(brands)


_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
    | {b"mif2", b"miaf", b"jpeg", b"jpgs", b"j2ki"}
)
_SOUND = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "})


def _list_brands(head: bytes) -> list[bytes]:
    """The major brand of an ISO file, and those that it says to be compatible with."""
    if head[4:8] != b"ftyp":
        return []
    content = head[8 : max(16, min(int.from_bytes(head[:4]), len(head)))]
    return [content[:4], *(content[i : i + 4] for i in range(8, len(content) - 3, 4))]


def _tell_by_brand(head: bytes) -> Looks | None:
    brands = _list_brands(head)
    if _AVIF & set(brands) or is_heif(head):
        return Looks("image")
    if brands[0] == b"crx ":
        return Looks("image", RAW)
    return None if brands[0] in _SOUND else Looks("video")


def _is_transport_stream(head: bytes) -> bool:
    """Packets of 188 bytes, each behind four more on a camera's card; three must begin right."""
    return any(
        len(head) > start + 2 * step and all(head[start + i * step] == 0x47 for i in range(3))
        for start, step in ((0, 188), (4, 192))
    )


_BEGINNINGS: tuple[tuple[bytes, Looks], ...] = (
    (b"\xff\xd8\xff", Looks("image")),
    (b"\x89PNG\r\n\x1a\n", Looks("image")),
    (b"GIF87a", Looks("image")),
    (b"GIF89a", Looks("image")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Looks("image")),
    (b"\xff\x4f\xff\x51", Looks("image")),
    (b"FUJIFILMCCD-RAW", Looks("image", RAW)),
    (b"IIU\0", Looks("image", RAW)),
    (b"IIRO", Looks("image", RAW)),
    (b"IIRS", Looks("image", RAW)),
    (b"II*\0\x10\0\0\0CR", Looks("image", RAW)),
    (b"II*\0", Looks("image")),
    (b"MM\0*", Looks("image")),
    (b"II+\0", Looks("image")),
    (b"MM\0+", Looks("image")),
    (b"8BPS", Looks("image", _LAYERS)),
    (b"gimp xcf ", Looks("image", _LAYERS)),
    (b"v/1\x01", Looks("image", _BRIGHTNESS)),
    (b"#?RADIANCE", Looks("image", _BRIGHTNESS)),
    (b"%!PS", Looks("image", _DRAWING)),
    (b"\xc5\xd0\xd3\xc6", Looks("image", _DRAWING)),
    (b"\0\0\0\x0cJXL \r\n\x87\n", Looks("image", _OTHER)),
    (b"II\xbc\x01", Looks("image", _OTHER)),
    (b"DDS |", Looks("image", _OTHER)),
    (b"qoif", Looks("image", _OTHER)),
    (b"\x1aE\xdf\xa3", Looks("video")),
    (b"FLV\x01", Looks("video")),
    (b"0&\xb2u\x8ef\xcf\x11", Looks("video")),
    (b"\0\0\x01\xba", Looks("video")),
    (b"\0\0\x01\xb3", Looks("video")),
    (b".RMF", Looks("video")),
    (b"DKIF", Looks("video")),
    (b"YUV4MPEG2 ", Looks("video")),
    (b"\x06\x0e+4\x02\x05\x01\x01", Looks("video")),
)
_RIFF = {b"WEBP": Looks("image"), b"AVI ": Looks("video")}
_PATTERNS = (
    # Two letters are few: what follows them must be a bitmap's header, or a netpbm's size.
    re.compile(rb"BM.{4}\0\0\0\0.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    re.compile(rb"P[1-6](?:\s|#[^\n\r]*[\n\r])+\d+(?:\s|#[^\n\r]*[\n\r])+\d+\s"),
)
_SVG = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg|!--|!DOCTYPE svg)")
