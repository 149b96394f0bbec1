"""Binds, runs and ends the server."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import uvicorn

from hierseg.errors import UserError, reason_of
from hierseg.serving.application import make_application
from hierseg.serving.gate import Gate, is_loopback, list_hosts
from hierseg.serving.limits import Limits
from hierseg.serving.model import Model
from hierseg.serving.service import Service
from hierseg.serving.store import Store

BACKLOG = 128
CONNECTIONS = 512
"""Most connections open at a time; further ones are answered 503."""
READ_HEADERS = 2**19
"""Bytes of headers that are read; more than are accepted, so that too long ones get an answer."""
LAST_SECONDS = 5
"""Seconds for running answers when the server is told to end."""
_EVERYWHERE = ("0.0.0.0", "::")


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to an address, not yet listening; port 0 takes any free port.

    Raises:
        UserError: The port is in use or not permitted, or this machine has no such address.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError(f"--host {host} is no address of this machine; give 127.0.0.1.") from None
    family, kind, protocol, _, address = found[0]
    server = socket.socket(family, kind, protocol)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(address)
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        raise _explain(error, host, port) from error
    return server


def _explain(error: OSError, host: str, port: int) -> UserError:
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"port {port} of {host} is in use, maybe by another `hierseg serve`; give --port "
            f"{port + 1 if port < 65535 else port - 1}, or --port 0 for any that is free."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return UserError(f"port {port} needs more rights; give --port 8765, or one above 1023.")
    if error.errno == errno.EADDRNOTAVAIL:
        return UserError(f"--host {host} is no address of this machine; give 127.0.0.1.")
    return UserError(f"port {port} of {host}: {reason_of(error)}.")


def name_address(server: socket.socket) -> str:
    """The address of a bound socket's page, for a browser on this machine."""
    host, port = server.getsockname()[:2]
    host = "127.0.0.1" if host in _EVERYWHERE else host
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def configure(gate: Gate) -> uvicorn.Config:
    """The configuration of uvicorn: no log of requests, no trust in proxy headers, and limits."""
    return uvicorn.Config(
        gate,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=READ_HEADERS,
        timeout_graceful_shutdown=LAST_SECONDS,
    )


def serve(
    model: Model,
    limits: Limits,
    server: socket.socket,
    token: str | None = None,
    allowed: Iterable[str] = (),
    keep: Path | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests until a signal such as Ctrl-C, which is then raised again.

    Args:
        model: The network.
        limits: The resolved limits.
        server: A socket of ``bind``; closed at the end.
        token: The token that clients must send; None to accept all.
        allowed: Further host names that the server accepts.
        keep: The folder in which results are kept; None to keep none.
        ready: Called once the server answers.
    """
    host = server.getsockname()[0]
    with server, Store(int(limits.disk), keep) as store:
        service = Service(model, limits, store)
        everywhere = not is_loopback(host)
        gate = make_application(service, list_hosts(host, allowed), token, everywhere)
        service.work.start()
        try:
            _Server(configure(gate), service, ready).run(sockets=[server])
        finally:
            service.work.end()


class _Server(uvicorn.Server):
    """Answers waiting requests when the server is told to end.

    Args:
        config: The configuration of uvicorn.
        service: The service whose waiting requests are refused then.
        ready: Called once the server answers.
    """

    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service, self._ready = service, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End on SIGINT or SIGTERM."""
        super().handle_exit(sig, frame)
        if sig in (signal.SIGINT, signal.SIGTERM):
            self._service.work.refuse_all()
