"""What tests of the server share."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image

HOST = "http://127.0.0.1:8765"
Connect = Callable[..., TestClient]


def as_file(pixels: Any, kind: str = "PNG") -> bytes:
    """A picture as a client sends it."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, kind)
    return written.getvalue()
