"""The original's sweep files, ``CMD`` and ``HPARAMS``, and hierseg's settings for each flag."""

from __future__ import annotations

from hierseg.sweeps.original.files import is_original, read_original

__all__ = ["is_original", "read_original"]
