"""A nested configuration as a flat table of settings, and the flags that set them. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def list_settings(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a nested ``to_dict()`` to ``{"optim.lr": 0.01, ...}``, named as the flags are."""
    settings: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            settings |= list_settings(value, f"{prefix}{key}.")
        else:
            settings[prefix + key] = value
    return settings


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that differ between two ``to_dict()``: name -> (old value, new value)."""
    before, after = list_settings(old), list_settings(new)
    return {
        name: (before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    }


def name_flag(setting: str) -> str:
    """The flag of a setting or parameter: ``"optim.ema_decay"`` -> ``"--optim.ema-decay"``, and
    ``"from_"``, a word that Python keeps for itself, -> ``"--from"``.
    """
    return "--" + setting.rstrip("_").replace("_", "-")


def name_flags(settings: Iterable[str]) -> dict[str, str]:
    """Settings, or parameters, and the flag of each."""
    return {setting: name_flag(setting) for setting in settings}
