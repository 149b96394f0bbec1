"""Weights on the Hugging Face Hub: hierseg checkpoints, by the name of their repository.

Nothing but a safetensors file is asked for, so nothing of a stranger's is executed. No torch.
"""

from __future__ import annotations

import importlib.util
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from hierseg.checkpoint.opening import container_of
from hierseg.errors import UsageError, UserError, make_printable

PREFIXES = ("hf://", "hub:")
FILE = "model.safetensors"
"""What is downloaded of a repository where no file is named."""
_NAME = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w.-]+))?"
    r"(?:/(?P<file>[\w./-]+\.safetensors))?",
    re.ASCII,
)


def is_on_hub(source: object) -> bool:
    """Whether ``source`` is the name of weights on the Hub."""
    return isinstance(source, str) and source.startswith(PREFIXES)


def fetch_weights(source: str) -> Path:
    """The file of weights on the Hub: downloaded, or from the cache of earlier downloads.

    Args:
        source: ``hf://owner/name`` or ``hub:owner/name``; ``owner/name@revision`` for a branch, tag
            or commit, ``owner/name/file.safetensors`` for another file than ``model.safetensors``.

    Raises:
        UsageError: ``source`` is no such name.
        UserError: The file cannot be downloaded, or is not safetensors.
    """
    shown = make_printable(source)
    found = _NAME.fullmatch(source.removeprefix(PREFIXES[0]).removeprefix(PREFIXES[1]))
    if found is None:
        raise UsageError(
            f"'{shown}' names no weights on the Hub; give hf://owner/name, or "
            "hf://owner/name/file.safetensors."
        )
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError(f"{shown} needs an optional package: pip install huggingface_hub.")
    from huggingface_hub import hf_hub_download

    try:
        path = Path(
            hf_hub_download(
                found["repository"],
                found["file"] or FILE,
                revision=found["revision"],
                local_files_only=not _is_reachable(),
            )
        )
    except Exception as error:  # The hub's own errors, its client's, and those of the disk.
        reason = str(error).strip().splitlines()
        said = make_printable(reason[0]).rstrip(".") if reason else type(error).__name__
        raise UserError(
            f"{shown} cannot be had from the Hub ({said}); check the name and the connection, or "
            "download the file and name it."
        ) from error
    if container_of(path) is not None:
        raise UserError(
            f"{shown} is not a safetensors file; from the Hub only hierseg checkpoints are opened. "
            "If you trust the file, download it and name it."
        )
    return path


def _is_reachable() -> bool:
    """Whether the Hub answers; the client itself would try for most of a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True
