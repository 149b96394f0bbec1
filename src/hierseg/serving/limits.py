"""The limits of a server."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hierseg.errors import UsageError, UserError
from hierseg.options import parse_memory


@dataclass(frozen=True)
class Limits:
    """What a server accepts from clients, and how much it keeps."""

    max_bytes: int | str = "64M"
    """Size of an upload, at most: 64M, 1G, or bytes."""
    max_pixels: int = 50_000_000
    """Pixels of a picture or a frame, at most."""
    max_frames: int = 300
    """Frames of a clip that are segmented, at most."""
    max_scale: float = 2.0
    """Largest scale that may be asked for; the weights' own are allowed whatever they are."""
    queue: int = 32
    """Requests that wait or run at a time; further ones are told to come again."""
    rate: int = 600
    """Requests a minute of one address; 0 for any number."""
    decode_memory: int | str = "1G"
    """Memory that decoding a picture may take, in a process of its own."""
    decode_seconds: float = 30.0
    """Seconds that decoding a picture, or a frame, may take."""
    disk: int | str = "2G"
    """Size of all results that pages can still fetch; the oldest are removed first."""

    def resolve(self) -> Limits:
        """The limits with sizes in bytes.

        Raises:
            UsageError: A limit is so small that nothing could pass.
        """
        for flag, least in (("max_pixels", 1), ("max_frames", 1), ("queue", 1), ("rate", 0)):
            if getattr(self, flag) < least:
                name = flag.replace("_", "-")
                raise UsageError(
                    f"--{name} {getattr(self, flag)} lets nothing pass; give {max(1, least)} or "
                    "more."
                )
        for flag, value in (
            ("max-scale", self.max_scale),
            ("decode-seconds", self.decode_seconds),
        ):
            if not 0 < value < float("inf"):
                raise UsageError(f"--{flag} {value:g} lets nothing pass; give more than 0.")
        return dataclasses.replace(
            self,
            max_bytes=parse_memory(self.max_bytes, "--max-bytes"),
            decode_memory=parse_memory(self.decode_memory, "--decode-memory"),
            disk=parse_memory(self.disk, "--disk"),
        )


USUAL = Limits()
"""The default limits."""


class Refusal(UserError):
    """An answer to a client instead of a result.

    Args:
        status: HTTP status.
        message: One sentence.
        retry_after: Seconds after which to try again; None if that would not help.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


def show_bytes(count: int) -> str:
    """A size as the flags take it: ``64M``."""
    for unit, size in (("G", 2**30), ("M", 2**20), ("K", 2**10)):
        if count >= size and count % size == 0:
            return f"{count // size}{unit}"
    return f"{count:,} bytes"
