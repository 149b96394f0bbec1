"""``ASSETS_PATH/`` at the start of a path: the folder that the user's environment names. No torch.

The original's scripts name their weights so.
"""

from __future__ import annotations

import os
from pathlib import Path

from hierseg.errors import UsageError

PLACEHOLDER = "ASSETS_PATH"
VARIABLE = "HIERSEG_ASSETS"


def expand_assets(text: str) -> str:
    """A path with its beginning ``ASSETS_PATH/`` replaced; other texts as they are.

    Raises:
        UsageError: It begins so, and the environment names no folder.
    """
    if not text.startswith((f"{PLACEHOLDER}/", f"{PLACEHOLDER}{os.sep}")):
        return text
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        raise UsageError(
            f"{text} begins with {PLACEHOLDER}/, the folder that {VARIABLE} names, and that is not "
            f"set: export {VARIABLE}=DIR."
        )
    return str(Path(folder, text[len(PLACEHOLDER) + 1 :]))


def expand_word(word: str) -> str:
    """``expand_assets`` of a word of a command line, also of what stands behind its ``--flag=``."""
    if word.startswith("--") and "=" in word:
        flag, _, value = word.partition("=")
        return f"{flag}={expand_assets(value)}"
    return expand_assets(word)
