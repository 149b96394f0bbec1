"""Amounts as people write them: ``2h``, ``90m``, ``4G``."""

from __future__ import annotations

import re
from typing import Any

from hierseg.errors import UsageError, shorten

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def read_duration(value: Any, what: str) -> float:
    """Seconds of ``"2h"``, ``"1h30m"`` or a number of seconds; UsageError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        text = str(value).replace(" ", "").lower()
        found = re.findall(r"(\d+(?:\.\d+)?)(min|[smhd])", text)
        if not found or "".join(number + unit for number, unit in found) != text:
            raise UsageError(f"{what}: '{shorten(value)}' is no time; write 90m or 2h, say.")
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in found)
    if not seconds > 0:
        raise UsageError(f"{what}: '{shorten(value)}' is no time above 0; write 90m or 2h, say.")
    return seconds


def show_duration(seconds: float) -> str:
    """``"4:05"`` or ``"1:04:05"``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def read_memory(value: Any, what: str) -> int:
    """Bytes of ``"4G"`` or a number of bytes; UsageError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
    if isinstance(value, bool) or found is None or float(found[1]) <= 0:
        raise UsageError(f"{what}: '{shorten(value)}' is no amount of memory; write 4G, say.")
    return int(float(found[1]) * _BYTES[found[2].upper()])
