"""The Content-Security-Policy of pages: only their own pictures and scripts are loaded."""

from __future__ import annotations

import base64
import hashlib


def describe_policy(script: str) -> str:
    """The content of a page's Content-Security-Policy.

    In some browsers a page opened from disk has no origin that ``'self'`` matches, hence ``file:``.
    Of the scripts within the page only this one runs, by its hash, so that markup in the name of an
    image or a class cannot run.

    Args:
        script: The exact content of the page's script element.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src 'self' data: blob: file:; style-src 'unsafe-inline'; "
        f"script-src 'self' file: 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
