"""What a page may load: its own pictures and scripts, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib


def describe_policy(script: str) -> str:
    """The content of a page's Content-Security-Policy.

    A page that is opened from disk has no origin that ``'self'`` would be in all browsers, hence
    ``file:``. Of scripts within the page only that one runs, by its hash: a name that an image or
    a class brings along runs none.

    Args:
        script: What the page's script element holds, to the letter.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src 'self' data: blob: file:; style-src 'unsafe-inline'; "
        f"script-src 'self' file: 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
