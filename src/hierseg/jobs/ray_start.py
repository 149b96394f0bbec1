"""Starts Ray on this machine, or connects to one by its address."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any

from hierseg.errors import MissingExtraError, UserError

OBJECT_STORE = 128 << 20
"""Bytes of the object store of a Ray that is started here; its tasks pass little data."""
LOOPBACK = "127.0.0.1"
SECONDS_TO_ANSWER = 10.0
"""Seconds within which the address must accept a connection."""
TRIES = 3
"""Most attempts to start Ray here; each times out after half a minute, too short for a busy
machine."""


def start_ray(address: str | None = None, dashboard: bool = False) -> Any:
    """Start Ray here, or connect to one that runs.

    Args:
        address: ``auto``, ``ray://HOST:10001`` or ``HOST:6379``; None starts Ray on this machine,
            bound to 127.0.0.1.
        dashboard: Show the dashboard of a Ray that is started.

    Returns:
        The module ray, connected; its ``shutdown`` disconnects.

    Raises:
        MissingExtraError: Ray is not installed.
        UserError: Ray does not answer at the address, or does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    place = None if address is None else _split(address)
    if address is None or (place is not None and place[0] in (LOOPBACK, "localhost")):
        # Ray replaces 127.0.0.1 by the machine's external address, unless clusters are disabled,
        # as they are by default on macOS.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if (address or "").startswith("ray://") and _has_token():
        # A node that joins a cluster sends its token by itself; a client must be told to.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("--runner ray", "cluster") from error
    if place is not None:
        _require_reachable(*place, address or "")
    options: dict[str, Any] = {"address": address}
    if address is None:
        options |= {
            "address": "local",
            "include_dashboard": dashboard,
            "object_store_memory": OBJECT_STORE,
            "_node_ip_address": LOOPBACK,
        }
    if not (address or "").startswith("ray://"):
        options |= {"logging_level": logging.ERROR, "log_to_driver": False}
    else:
        logging.getLogger("ray.client_builder").setLevel(logging.WARNING)
    for left in reversed(range(1 if address else TRIES)):
        try:
            ray.init(**options)
            break
        except Exception as error:  # Ray raises many kinds, a bare Exception if it is too slow
            ray.shutdown()
            if left and "timed out" in str(error):  # a busy machine
                continue
            said = str(error).strip().splitlines()
            where = f"cannot connect to Ray at {address}" if address else "Ray does not start"
            raise UserError(
                f"{where} ({said[0] if said else type(error).__name__}); see `ray status`, or give "
                "another --address."
            ) from error
    _keep_from_output(ray)
    return ray


def _keep_from_output(ray: Any) -> None:
    """Stop Ray from printing messages about lost workers on standard output, where the command's
    results go; the command reports them itself. Ray has no setting for this.
    """
    ray._private.worker._worker_logs_enabled = False


def _has_token() -> bool:
    """Whether there is a token in a place where Ray looks for one."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(named) if named else Path.home() / ".ray" / "auth_token").is_file()
    except (OSError, RuntimeError):  # no home folder
        return False


def _split(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None for ``auto`` and similar words, which Ray resolves."""
    host, _, port = address.removeprefix("ray://").split("?")[0].rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def _require_reachable(host: str, port: int, address: str) -> None:
    """UserError if nothing accepts a connection; Ray itself would try for minutes."""
    try:
        socket.create_connection((host, port), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot connect to Ray at {address} ({error}); see `ray status` there, or give "
            "another --address."
        ) from error
