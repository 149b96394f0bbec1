"""Keys of a sweep file: checks of unknown ones, and settings by their full names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hierseg.errors import UsageError, shorten
from hierseg.wording import find_nearest


def flatten(content: Any, what: str, prefix: str = "") -> dict[str, Any]:
    """Settings, written as ``optim.lr`` or as ``optim: {lr: ...}``, by their full names."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{what}: give settings with values, as `optim.lr: 0.01`.")
    settings: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict) and not _is_range(value):
            settings |= flatten(value, what, f"{prefix}{name}.")
        else:
            settings[f"{prefix}{name}"] = value
    return settings


def _is_range(value: Mapping[Any, Any]) -> bool:
    return bool(value) and set(map(str, value)) <= {"uniform", "log", "int", "choice"}


def require_known(content: Mapping[Any, Any], keys: Sequence[str], what: str) -> None:
    """UsageError for an unknown key; the message names the nearest known one."""
    for key in content:
        if key not in keys:
            near = find_nearest(key, keys, least=0.0)
            raise UsageError(f"there is no {what} '{shorten(key)}'; the nearest is '{near}'.")
