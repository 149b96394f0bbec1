"""Headless Chromium, told what to do over its own pipe: keys and clicks are those of a user."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 60.0
_CODES = {"ArrowLeft": 37, "ArrowRight": 39, "Tab": 9, "Enter": 13, "Escape": 27, " ": 32}


class Browser:
    """A page in a browser; a context manager.

    Args:
        profile: A folder for the browser's own files.
        size: Width and height of the window.
    """

    def __init__(self, profile: Path, size: tuple[int, int] = (1400, 1000)) -> None:
        assert CHROMIUM is not None
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Chromium reads descriptor 3 and writes 4; ten and above are in nobody's way.
        reads, writes = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out))
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--hide-scrollbars", f"--window-size={size[0]},{size[1]}",
            f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{reads} 4>&{writes}', "browser", *command],
            pass_fds=(reads, writes),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in (theirs_in, theirs_out, reads, writes):
            os.close(descriptor)
        self._in, self._out = ours_in, ours_out
        self._number, self._rest, self._session = 0, b"", ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            self._session = ""
            self._ask("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def open(self, path: Path | str) -> None:
        """Show a page, a file's or an address's, and wait until it is there with its pictures."""
        address = path if isinstance(path, str) else path.as_uri()
        target = self._ask("Target.createTarget", url=address)["targetId"]
        found = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        end = time.monotonic() + SECONDS
        shown = f"location.href === {json.dumps(address)} && document.readyState"
        while True:
            with contextlib.suppress(AssertionError):  # between two pages there is none to ask
                if self.evaluate(shown) == "complete":  # the window is empty at first
                    return
            assert time.monotonic() < end
            time.sleep(0.05)

    def evaluate(self, script: str) -> Any:
        """What an expression is in the page."""
        found = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, wherever the focus is."""
        code = _CODES.get(key, ord(key[0].upper()))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self._ask("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def move(self, x: float, y: float, held: bool = False) -> None:
        """Move the mouse to a place in the window, its left button held or not."""
        self._point("mouseMoved", x, y, int(held))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the left button at a place in the window, and let go at another."""
        self._point("mousePressed", *start, 1)
        self.move(*start, held=True)
        self.move(*end, held=True)
        self._point("mouseReleased", *end, 0)

    def _point(self, kind: str, x: float, y: float, buttons: int) -> None:
        self._ask(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=buttons,
            button="none" if kind == "mouseMoved" and not buttons else "left", clickCount=1,
        )  # fmt: skip

    def emulate(self, width: int, height: int, dark: bool) -> None:
        """A window of a size, and a user who likes it dark or light."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        place = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._ask(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                clickCount=1,
            )  # fmt: skip

    def take_picture(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while True:
            answer = self._read(end)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self, end: float) -> Any:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            piece = os.read(self._in, 1 << 16)
            if not piece:
                raise EOFError("the browser has ended")
            self._rest += piece
        one, self._rest = self._rest.split(b"\0", 1)
        return json.loads(one)
