"""A page of this machine that shows frame after frame of a stream, and what is seen in it."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError, reason_of
from hierseg.inference import Prediction
from hierseg.media import hex_colors, shrink
from hierseg.serving.gate import HEADERS, list_hosts

HOST = "127.0.0.1"
LONGEST_SIDE = 1600
"""Pixels of a picture that is shown."""
QUALITY = 85
PATIENCE = 10.0
"""Seconds that a page's question for the next frame is kept, before it is answered with none."""
LONGEST_QUESTION = 2**12
VIEWS = ("overlay", "picture", "classes")
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript"}


class Shown(NamedTuple):
    """A frame that is shown.

    Attributes:
        number: Counted from 1, of those that were shown.
        prediction: What is seen in it.
        facts: What the page says of it, by what it is called there.
    """

    number: int
    prediction: Prediction
    facts: dict[str, str]


class LivePage:
    """Serves a page whose picture follows a stream; a context manager.

    It is bound to this machine, under a path that cannot be guessed, as other users of the machine
    could look through the camera otherwise. A page asks for the newest frame: none waits for a
    page, however slow.

    Args:
        title: What is shown.
        port: 0 for any that is free.
        render: Renders a view of a prediction, of ``VIEWS``.

    Attributes:
        about: By what it is segmented, in a line, once that is known.

    Raises:
        UserError: The port is in use.
    """

    def __init__(
        self,
        title: str,
        port: int = 0,
        render: Callable[[Prediction, str], npt.NDArray[np.uint8]] | None = None,
    ) -> None:
        self.title, self.about = title, ""
        self._render = render or render_view
        self._news, self._shown, self._ended = threading.Condition(), _NOTHING, ""
        self._lock, self._pictures = threading.Lock(), dict[tuple[int, str], bytes]()
        self._secret = secrets.token_urlsafe(9)
        page = self

        class Handler(_Handler):
            live = page

        try:
            self._server = ThreadingHTTPServer((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else "no such port"
            raise UserError(
                f"the page cannot listen at port {port} ({reason}); give another --port, or leave "
                "it out for any that is free."
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    @property
    def address(self) -> str:
        """What a browser of this machine opens."""
        return f"http://{HOST}:{self._server.server_port}/{self._secret}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end("The stream was ended.")
        self._server.shutdown()
        self._server.server_close()

    def show(self, prediction: Prediction, facts: dict[str, str]) -> None:
        """Show a frame instead of the one before."""
        with self._news:
            self._shown = Shown(self._shown.number + 1, prediction, facts)
            self._news.notify_all()

    def end(self, why: str) -> None:
        """Tell the page that nothing more will come."""
        with self._news:
            self._ended = self._ended or why
            self._news.notify_all()

    def wait(self, after: int) -> dict[str, Any]:
        """What the page says once there is a frame beyond ``after``, the stream ends, or it has
        waited long enough.
        """
        with self._news:
            self._news.wait_for(lambda: self._shown.number > after or self._ended, PATIENCE)
            shown, ended = self._shown, self._ended
        state: dict[str, Any] = {"number": shown.number, "ended": ended}
        if shown is not _NOTHING:
            colors = hex_colors(shown.prediction.label_space)
            shares = shown.prediction.class_shares()
            state["classes"] = [[name, colors[name], share] for name, share in shares.items()]
            state["facts"] = shown.facts
        return state

    def draw(self, view: str) -> bytes | None:
        """The newest frame as a JPEG; None where there is none."""
        shown = self._shown
        if shown is _NOTHING:
            return None
        with self._lock:  # of several pages one renders
            key = shown.number, view
            if key not in self._pictures:
                picture = shrink(self._render(shown.prediction, view), LONGEST_SIDE)
                self._pictures = {k: v for k, v in self._pictures.items() if k[0] == shown.number}
                self._pictures[key] = _encode(picture)
            return self._pictures[key]

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of a path; None where there is no such thing."""
        where = urlsplit(path)
        first, _, name = where.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(first.encode(), self._secret.encode()):
            return None
        given = {key: values[-1] for key, values in parse_qs(where.query).items()}
        if name == "":
            return TYPES["html"], self._fill("live.html")
        if name in ("page.css", "live.css", "live.js"):
            return TYPES[name.rpartition(".")[2]], _read(name)
        if name == "state":
            after = given.get("after", "0")
            number = int(after) if after.isdecimal() and len(after) < 20 else 0
            return "application/json", json.dumps(self.wait(number)).encode()
        if name == "frame.jpg" and given.get("view", VIEWS[0]) in VIEWS:
            picture = self.draw(given.get("view", VIEWS[0]))
            return None if picture is None else ("image/jpeg", picture)
        return None

    def _fill(self, name: str) -> bytes:
        text = _read(name).decode()
        for key, value in (("{title}", self.title), ("{about}", self.about)):
            text = text.replace(key, escape(value))
        return text.encode()


def render_view(prediction: Prediction, view: str) -> npt.NDArray[np.uint8]:
    """A view of a prediction: the overlay, the picture alone, or the classes alone."""
    if view == "picture":
        return prediction.image
    return prediction.color() if view == "classes" else prediction.overlay()


_NOTHING: Any = Shown(0, None, {})  # type: ignore[arg-type]


def _read(name: str) -> bytes:
    return (files("hierseg.serving") / "assets" / name).read_bytes()


def _encode(picture: npt.NDArray[np.uint8]) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


class _Handler(BaseHTTPRequestHandler):
    """Answers the page; says nothing on standard error."""

    live: LivePage
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "hierseg", ""
    timeout = 60.0

    def do_GET(self) -> None:
        found = None
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        site = self.headers.get("Sec-Fetch-Site", "none")
        # A name that another site lets point here is none of ours.
        is_ours = host in list_hosts(HOST) and site in ("none", "same-origin")
        if is_ours and len(self.path) < LONGEST_QUESTION:
            found = self.live.answer(self.path)
        status = HTTPStatus.OK if found is not None else HTTPStatus.NOT_FOUND
        kind, body = found if found is not None else ("text/plain", b"there is no such page\n")
        self.send_response(status)
        for key, value in {**HEADERS, "content-type": kind, "content-length": len(body)}.items():
            self.send_header(key, str(value))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):  # a page that was closed
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass
