"""Weights on the Hugging Face Hub: hierseg checkpoints, by the name of their repository.

Nothing but a safetensors file is asked for, so nothing of a stranger's is executed. Nothing is
fetched or sent but where a name of the Hub is given. No torch.
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

PREFIXES = ("hf://", "hf:", "hub:")
FILE = "model.safetensors"
"""What is downloaded of a repository where no file is named."""
CONFLICT = 409
"""The status by which the Hub says that a repository is there."""
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
        source: ``hf:owner/name``, ``hf://owner/name`` or ``hub:owner/name``;
            ``owner/name@revision`` for a branch, tag or commit, ``owner/name/file.safetensors`` for
            another file than ``model.safetensors``.

    Raises:
        UsageError: ``source`` is no such name.
        UserError: The file cannot be downloaded, or is not safetensors.
    """
    shown = make_printable(source)
    found = _NAME.fullmatch(_strip(source))
    if found is None:
        raise UsageError(
            f"'{shown}' names no weights on the Hub; give hf:owner/name, or "
            "hf:owner/name/file.safetensors."
        )
    _require_client(shown)
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
        raise UserError(
            f"{shown} cannot be had from the Hub ({_reason(error)}); check the name and the "
            "connection, or download the file and name it."
        ) from error
    if container_of(path) is not None:
        raise UserError(
            f"{shown} is not a safetensors file; from the Hub only hierseg checkpoints are opened. "
            "If you trust the file, download it and name it."
        )
    return path


def check_repository(source: str) -> str:
    """The repository, ``owner/name``, that a name of the Hub means to publish to.

    Raises:
        UsageError: The Hub has no such names.
        UserError: What speaks to the Hub is not installed.
    """
    shown = make_printable(source)
    repository = _strip(source)
    _require_client(shown)
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
        if repository.count("/") != 1:
            raise HFValidationError("without an owner")
    except HFValidationError as error:
        raise UsageError(
            f"'{shown}' is no name on the Hub; give hf:owner/name, of letters, digits, '-', '_' "
            "and '.', at most 96 of them."
        ) from error
    return repository


def require_token(source: str) -> None:
    """UserError where there is no token by which the Hub would let something be published."""
    from huggingface_hub import get_token

    if not get_token():
        raise UserError(
            f"there is no token to publish {make_printable(source)} with; make one that may write "
            "in the settings of your account there, and give it to `hf auth login` or as HF_TOKEN."
        )


def upload_repository(folder: Path, source: str, private: bool, replace: bool) -> str:
    """Send a folder to the Hub, as a repository of a model; its address there.

    Args:
        folder: What is sent, all of it.
        source: ``hf:owner/name``.
        private: Whether a new repository is seen by its owner alone.
        replace: Send into a repository that is there already.

    Raises:
        UserError: There is no token, no connection, or the Hub refuses.
    """
    repository, shown = check_repository(source), make_printable(source)
    require_token(source)
    if not _is_reachable():
        raise UserError(
            f"{shown} cannot be published: the Hub cannot be reached; check the connection, or "
            "write a folder (--to FOLDER) and upload it later."
        )
    from huggingface_hub import HfApi

    api = HfApi(library_name="hierseg")
    try:
        address = api.create_repo(repository, private=private, exist_ok=replace)
        api.upload_folder(
            repo_id=repository, folder_path=folder, commit_message="Published by hierseg"
        )
    except Exception as error:  # as of fetching
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == CONFLICT and not replace:
            raise UserError(
                f"{shown} is there already; choose another name, or add --overwrite to replace "
                "its files."
            ) from error
        raise UserError(
            f"{shown} cannot be published ({_reason(error)}); check the name, the token's rights "
            "and the connection."
        ) from error
    return str(address)


def _strip(source: str) -> str:
    """A name without what says that it is of the Hub."""
    prefix = next((prefix for prefix in PREFIXES if source.startswith(prefix)), "")
    return source.removeprefix(prefix)


def _require_client(shown: str) -> None:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError(f"{shown} needs an optional package: pip install huggingface_hub.")


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return make_printable(lines[0]).rstrip(".") if lines else type(error).__name__


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
