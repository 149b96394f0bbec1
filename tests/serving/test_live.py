from __future__ import annotations

import http.client
import io
import json
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from hierseg.errors import UserError
from hierseg.inference.prediction import Prediction
from hierseg.labels import CAMVID
from hierseg.serving import live
from hierseg.serving.live import LivePage


def predict(train: int, size: tuple[int, int] = (40, 60)) -> Prediction:
    image = np.full((*size, 3), 50 * train, np.uint8)
    labels = np.full(size, train, np.uint8)
    return Prediction(image, labels, np.ones(size, np.float32), CAMVID, frame=train, time=0.1)


def ask(page: LivePage, path: str, **headers: str) -> tuple[int, bytes, Any]:
    where = urlsplit(page.address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 0, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def get(page: LivePage, name: str, **headers: str) -> tuple[int, bytes, Any]:
    return ask(page, urlsplit(page.address).path + name, **headers)


def test_the_page_names_what_is_shown_and_reaches_for_nothing_else() -> None:
    with LivePage("<camera>") as page:
        page.about = "w & c"
        status, body, headers = get(page, "")
        assert status == 200
        text = body.decode()
        assert "&lt;camera&gt;" in text
        assert "w &amp; c" in text
        assert "http" not in text
        assert "default-src 'none'" in headers["content-security-policy"]
        for name in ("page.css", "live.css", "live.js"):
            assert get(page, name)[0] == 200


def test_nobody_else_gets_at_it() -> None:
    with LivePage("camera 0") as page:
        page.show(predict(1), {})
        assert page.address.startswith("http://127.0.0.1:")
        for path in ("/", "/frame.jpg", "/state", "/x/frame.jpg"):
            assert ask(page, path)[0] == 404
        name = "frame.jpg"
        assert get(page, name)[0] == 200
        assert get(page, name, Host="evil.example")[0] == 404
        assert get(page, name, **{"Sec-Fetch-Site": "cross-site"})[0] == 404
        assert get(page, name, **{"Sec-Fetch-Site": "same-origin"})[0] == 200
        assert get(page, "../../live.py")[0] == 404
        assert get(page, "frame.jpg?view=secret")[0] == 404
        assert get(page, "state?after=" + "9" * 5000)[0] == 404
        assert ask(page, "/" + "x" * 70_000)[0] in (404, 414)


def test_a_view_is_drawn_when_it_is_asked_for_and_once() -> None:
    drawn: list[str] = []

    def render(prediction: Prediction, view: str) -> Any:
        drawn.append(view)
        return live.render_view(prediction, view)

    with LivePage("c", render=render) as page:
        assert get(page, "frame.jpg")[0] == 404  # there is none yet
        page.show(predict(2), {})
        assert drawn == []
        for _ in range(2):
            status, body, headers = get(page, "frame.jpg?view=classes")
            assert (status, headers["content-type"]) == (200, "image/jpeg")
        picture = np.asarray(Image.open(io.BytesIO(body)).convert("RGB"), int)
        assert picture.shape == (40, 60, 3)
        assert np.abs(picture[20, 30] - CAMVID.colors[2]).max() < 12
        assert (
            np.abs(
                np.asarray(Image.open(io.BytesIO(get(page, "frame.jpg?view=picture")[1]))).astype(
                    int
                )
                - 100
            ).max()
            < 6
        )
        get(page, "frame.jpg")
        assert drawn == ["classes", "picture", "overlay"]
        page.show(predict(3), {})
        get(page, "frame.jpg")
        assert drawn[3:] == ["overlay"]


def test_large_frames_are_shown_smaller() -> None:
    with LivePage("c") as page:
        page.show(predict(1, (400, 3200)), {})
        assert Image.open(io.BytesIO(get(page, "frame.jpg")[1])).size == (1600, 200)


def test_a_question_waits_for_the_next_frame_and_skips_those_it_missed() -> None:
    with LivePage("c") as page:
        page.show(predict(1), {"frame": "1"})
        state = json.loads(get(page, "state?after=0")[1])
        assert state["number"] == 1
        assert state["facts"] == {"frame": "1"}
        [[name, color, share]] = state["classes"]
        assert (name, share) == (CAMVID.names[1], 1.0)
        assert color.startswith("#")

        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(get(page, "state?after=1")))
        asking.start()
        time.sleep(0.15)
        assert answers == []
        for train in (2, 3, 4):
            page.show(predict(train), {})
        asking.join(5)
        assert json.loads(answers[0][1])["number"] in (2, 3, 4)
        assert json.loads(get(page, "state?after=2")[1])["number"] == 4


def test_an_end_is_told_at_once_and_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.05)
    with LivePage("c") as page:
        assert json.loads(get(page, "state?after=x")[1]) == {"number": 0, "ended": ""}
        page.end("It has ended.")
        page.end("Twice.")
        assert json.loads(get(page, "state?after=7")[1])["ended"] == "It has ended."


def test_a_port_in_use_is_a_sentence() -> None:
    with LivePage("c") as page:
        taken = urlsplit(page.address).port or 0
        with pytest.raises(UserError, match=f"port {taken} .*--port"):
            LivePage("c", taken)
    with pytest.raises(UserError, match="--port"):
        LivePage("c", 99_999)


@pytest.mark.slow
def test_a_browser_follows_the_frames(tmp_path: Path) -> None:
    from support import browser

    if browser.CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with LivePage("camera 0") as page, browser.Browser(tmp_path / "profile") as chromium:
        chromium.open(page.address)
        for train in (1, 2):
            page.show(predict(train), {"frame": str(train)})
            end = time.monotonic() + 20
            while chromium.evaluate("document.body.dataset.number") != str(train):
                assert time.monotonic() < end
                time.sleep(0.1)
        seen = chromium.evaluate("document.getElementById('classes').textContent")
        assert CAMVID.names[2] in seen
        assert chromium.evaluate("document.getElementById('frame').naturalWidth") == 60
        chromium.press("3")
        assert "view=classes" in _wait_for(
            chromium, "document.getElementById('frame').src", "classes"
        )
        chromium.press(" ")
        page.show(predict(3), {})
        time.sleep(0.5)
        assert chromium.evaluate("document.body.dataset.number") == "2"
        chromium.press(" ")
        page.end("It has ended.")
        assert _wait_for(chromium, "document.getElementById('waiting').textContent", "ended")


def _wait_for(chromium: Any, script: str, part: str) -> str:
    end = time.monotonic() + 20
    while part not in (found := str(chromium.evaluate(script))):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found
