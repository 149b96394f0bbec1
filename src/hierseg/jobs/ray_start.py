"""Ray, started here or reached by its address."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any

from hierseg.errors import MissingExtraError, UserError

OBJECT_STORE = 128 << 20
"""Bytes of the shared memory of a Ray that is started here: its tasks pass a few words."""
LOOPBACK = "127.0.0.1"
SECONDS_TO_ANSWER = 10.0
TRIES = 3
"""Times that Ray is started here: it gives itself half a minute, which is little while a machine is
busy.
"""


def start_ray(address: str | None = None, dashboard: bool = False) -> Any:
    """Start Ray here, or reach one that runs; gives its module, whose ``shutdown`` lets go of it.

    Args:
        address: ``auto``, ``ray://HOST:10001`` or ``HOST:6379``; None starts one, bound to
            127.0.0.1.
        dashboard: Have the one that is started show its dashboard.

    Raises:
        MissingExtraError: Ray is not installed.
        UserError: There is no Ray at the address, or it does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    place = None if address is None else _split(address)
    if address is None or (place is not None and place[0] in (LOOPBACK, "localhost")):
        # Ray takes 127.0.0.1 for the machine's outer address, unless it is to have no cluster, as
        # it has none on macOS by default.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if (address or "").startswith("ray://") and _has_token():
        # What joins a cluster sends a token that is there; a client does where it is told to.
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
        except Exception as error:  # Ray raises many, and a bare one where it starts too slowly
            ray.shutdown()
            if left and "timed out" in str(error):  # a busy machine
                continue
            said = str(error).strip().splitlines()
            where = f"no Ray is reached at {address}" if address else "Ray does not start"
            raise UserError(
                f"{where} ({said[0] if said else type(error).__name__}); see `ray status`, or give "
                "another --address."
            ) from error
    _keep_from_output(ray)
    return ray


def _keep_from_output(ray: Any) -> None:
    """Have Ray not print what it says of lost workers on standard output, which is the command's;
    the command says it itself. There is no setting for it.
    """
    ray._private.worker._worker_logs_enabled = False


def _has_token() -> bool:
    """Whether there is a token where Ray looks for one."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return (Path(named) if named else Path.home() / ".ray" / "auth_token").is_file()
    except (OSError, RuntimeError):  # no home
        return False


def _split(address: str) -> tuple[str, int] | None:
    """Host and port; None of ``auto`` and its like, which Ray resolves."""
    host, _, port = address.removeprefix("ray://").split("?")[0].rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def _require_reachable(host: str, port: int, address: str) -> None:
    """UserError where nothing answers: Ray itself would try for minutes."""
    try:
        socket.create_connection((host, port), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray is reached at {address} ({error}); see `ray status` there, or give another "
            "--address."
        ) from error
