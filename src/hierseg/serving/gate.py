"""Checks every request before its body is read.

A server on this machine can be reached by any page in its user's browser. So a request must name
this server as its host (DNS rebinding uses another name), and must not come from another site's
page.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from hierseg.serving.limits import Limits, Refusal, show_bytes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=()",
    "cache-control": "no-store",
}
OPEN = ("/health", "/login", "/page.css")
"""Addresses that are answered without a token."""
DRAINED_SECONDS = 20.0
"""Seconds for which the rest of a refused upload is read, up to twice the largest upload: a client
that is still sending would otherwise see a broken connection instead of the answer."""
LONGEST_HEADERS = 2**15
GUESSES = 10
"""Most wrong tokens a minute from one address."""
_ADDRESSES = 10_000


class Rate:
    """Limits the requests of each address: so many a minute, and as many at once.

    Args:
        each_minute: Requests a minute; 0 for no limit.
    """

    def __init__(self, each_minute: int) -> None:
        self._each = each_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float | None = None) -> None:
        """Count a request.

        Raises:
            Refusal: It exceeds the limit.
        """
        if self._each == 0:
            return
        now = time.monotonic() if now is None else now
        left, since = self._left.get(address, (float(self._each), now))
        left = min(float(self._each), left + (now - since) * self._each / 60)
        if left < 1:
            wait = max(1, round((1 - left) * 60 / self._each))
            raise Refusal(
                429, f"more than {self._each} requests a minute; try again in {wait} s.", wait
            )
        self._left[address] = (left - 1, now)
        self._left.move_to_end(address)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)


class Gate:
    """An ASGI application around another.

    Args:
        application: The application that answers accepted requests.
        limits: The resolved limits.
        hosts: Host names that the server accepts.
        token: The token that clients must send; None to accept all.
        any_address: Whether any IP address is accepted as host, as a server that listens on all
            addresses of its machine needs.
    """

    def __init__(
        self,
        application: Application,
        limits: Limits,
        hosts: Iterable[str],
        token: str | None = None,
        any_address: bool = False,
    ) -> None:
        self._application, self._limits = application, limits
        self._hosts = {host.strip("[]").lower() for host in hosts}
        self._token, self._any_address = token, any_address
        self._session = secrets.token_urlsafe(24)
        self._guesses = Rate(GUESSES)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        body = _Body(receive, int(self._limits.max_bytes), headers)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] >= 400:
                    await body.drain()
                message = {**message, "headers": [*message.get("headers", []), *_EXTRA]}
            await send(message)

        try:
            answer = self._check(scope, headers)
            if answer is None:
                body.check_length()
        except Refusal as refusal:
            await answer_error(send_safely, refusal)
            return
        if answer is not None:
            await send_safely({"type": "http.response.start", "status": 303, "headers": answer})
            await send_safely({"type": "http.response.body", "body": b""})
            return
        await self._application(scope, body.receive, send_safely)

    def sign_in(self, token: str, address: str, port: int) -> str:
        """The cookie of a session, as the value of its header.

        Raises:
            Refusal: The token is wrong, or too many were tried.
        """
        self._require(token, address)
        return self._cookie(port)

    def _cookie(self, port: int) -> str:
        return f"hierseg_{port}={self._session}; HttpOnly; SameSite=Lax; Path=/"

    def _check(
        self, scope: MutableMapping[str, Any], headers: dict[str, str]
    ) -> list[tuple[bytes, bytes]] | None:
        """Refuse a request, or accept it; or return headers that redirect it."""
        if sum(len(key) + len(value) for key, value in scope["headers"]) > LONGEST_HEADERS:
            raise Refusal(431, "the headers of this request are longer than 32 kB.")
        self._check_host(headers.get("host", ""))
        _check_site(scope, headers)
        if self._token is None or scope["path"] in OPEN:
            return None
        address = (scope.get("client") or ("",))[0]
        port = (scope.get("server") or ("", 0))[1] or 0
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            self._require(shown.strip(), address)
            return None
        if hmac.compare_digest(_read_cookie(headers.get("cookie", ""), port), self._session):
            return None
        for name, _, value in (
            part.partition("=") for part in scope["query_string"].decode("latin-1").split("&")
        ):
            if name == "token" and scope["path"] == "/" and scope["method"] == "GET":
                self._require(value, address)
                cookie = self._cookie(port).encode("latin-1")
                return [(b"location", b"./"), (b"set-cookie", cookie)]
        if scope["path"] == "/" and scope["method"] == "GET":
            return [(b"location", b"login")]
        raise Refusal(
            401, "this server needs a token; send the header Authorization: Bearer TOKEN."
        )

    def _require(self, shown: str, address: str) -> None:
        expected = self._token or ""
        if hmac.compare_digest(shown.encode("utf-8"), expected.encode("utf-8")):
            return
        self._guesses.take(address)
        raise Refusal(
            401, "this is not the token of this server; see the terminal in which it was started."
        )

    def _check_host(self, given: str) -> None:
        host = (urlsplit(f"//{given}").hostname or "") if _is_host(given) else ""
        if host in self._hosts or (self._any_address and _is_address(host)):
            return
        raise Refusal(
            421,
            f"this server is not called '{given:.60}'; if it should be, start it with "
            f"`--allow-host NAME`.",
        )


class _Body:
    """The body of a request, with a limit of its size.

    Args:
        receive: Receives its messages.
        most: Largest upload in bytes.
        headers: Headers of the request.
    """

    def __init__(self, receive: Receive, most: int, headers: dict[str, str]) -> None:
        self._receive, self._most = receive, most + 2**16  # the form around the file
        self._shown = show_bytes(most)
        self._length = headers.get("content-length", "")
        has_body = "transfer-encoding" in headers or self._length not in ("", "0")
        self._waits = headers.get("expect", "").lower() == "100-continue"
        self._taken, self._ended = 0, not has_body

    def check_length(self) -> None:
        """Refusal if its stated length is too large."""
        if self._length.isdigit() and int(self._length) > self._most:
            raise self._too_long()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._waits = False
            self._taken += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
            if self._taken > self._most:
                raise self._too_long()
        else:
            self._ended = True
        return message

    async def drain(self) -> None:
        """Read the rest of the body, within bounds; not of a client that asked before it sends."""
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                while not self._ended and not self._waits and self._taken < 2 * self._most:
                    message = await self._receive()
                    self._taken += len(message.get("body", b""))
                    self._ended = not message.get("more_body", False)
        except TimeoutError:
            self._ended = True

    def _too_long(self) -> Refusal:
        return Refusal(413, f"the upload is larger than the {self._shown} that this server takes.")


_EXTRA = [(key.encode(), value.encode()) for key, value in HEADERS.items()]


def list_hosts(host: str, allowed: Iterable[str] = ()) -> list[str]:
    """The host names that a server listening at ``host`` accepts."""
    names = ["localhost", "127.0.0.1", "::1", host, *allowed]
    if not is_loopback(host):
        names += [socket.gethostname(), socket.getfqdn()]
    return names


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens at ``host``."""
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


async def answer_error(send: Send, refusal: Refusal) -> None:
    """``{"error": sentence}``."""
    headers = [(b"content-type", b"application/json")]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    body = json.dumps({"error": str(refusal)}).encode()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _check_site(scope: MutableMapping[str, Any], headers: dict[str, str]) -> None:
    """Refuse requests from another site's page; links to the page itself are accepted."""
    site = headers.get("sec-fetch-site", "none")
    is_link = scope["method"] == "GET" and headers.get("sec-fetch-mode", "navigate") == "navigate"
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower()
    if foreign or (site not in ("none", "same-origin") and not is_link):
        raise Refusal(403, "this server answers only its own page, not other sites' pages.")


def _read_cookie(header: str, port: int) -> str:
    try:
        found = SimpleCookie(header).get(f"hierseg_{port}")
    except CookieError:
        return ""
    value = "" if found is None else found.value
    return value if value.isascii() else ""


def _is_host(given: str) -> bool:
    try:
        _ = urlsplit(f"//{given}").port
    except ValueError:
        return False
    return bool(given) and not set(given) & set("/@?#\\ ")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
