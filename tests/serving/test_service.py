"""The queue, clients that go away, and the end of the server."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient

from hierseg.serving.limits import Limits
from support.serving import Connect, as_file


class _Held:
    """Holds the network until it is let go."""

    def __init__(self, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free, self.begun = threading.Event(), threading.Semaphore(0)
        run = service.model.segment

        def segment(*given: Any, **named: Any) -> Any:
            self.begun.release()
            assert self.free.wait(20)
            return run(*given, **named)

        monkeypatch.setattr(service.model, "segment", segment)


def _until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_queue_says_when_to_come_again_and_loses_nothing(
    answering: Any, image: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, service = answering
    held = _Held(service, monkeypatch)
    content = as_file(image)

    def ask(number: int) -> httpx.Response:
        files, data = {"file": ("a.png", content)}, {"ticket": f"ticket-{number}"}
        return httpx.post(f"{address}predict", files=files, data=data, timeout=60)

    with ThreadPoolExecutor(3) as clients:
        asked = []
        for number in range(3):
            asked.append(clients.submit(ask, number))
            _until(lambda number=number: f"ticket-{number}" in service._tickets)
        assert held.begun.acquire(timeout=20)
        over = ask(3)
        assert over.status_code == 503
        assert over.headers["retry-after"] == "5"
        assert "3 requests are waiting already" in over.json()["error"]
        last = httpx.get(f"{address}tickets/ticket-2").json()
        assert (last["ahead"], last["done"], last["total"]) == (2, 0, 1)
        assert httpx.get(f"{address}tickets/ticket-0").json()["state"] == "segmenting"
        held.free.set()
        assert [one.result().status_code for one in asked] == [200, 200, 200]
    assert service._places == 0
    assert httpx.get(f"{address}tickets/ticket-2").status_code == 404


def test_a_client_that_goes_away_frees_its_place(
    answering: Any, image: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, service = answering
    held = _Held(service, monkeypatch)
    files = {"file": ("a.png", as_file(image))}
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}predict", files=files, timeout=0.5)
    _until(lambda: service._places == 0)
    held.free.set()
    assert httpx.post(f"{address}predict", files=files, timeout=60).status_code == 200
    _until(lambda: list(service.store.passing.iterdir()) == [])
    assert service.work._under_way == []


def test_the_end_of_the_server_is_told_to_whoever_waits(
    answering: Any, image: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, service = answering
    held = _Held(service, monkeypatch)
    files = {"file": ("a.png", as_file(image))}
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(httpx.post, f"{address}predict", files=files, timeout=60)
        assert held.begun.acquire(timeout=20)
        service.work.refuse_all()
        assert asked.result().status_code == 503
        assert "is shutting down" in asked.result().json()["error"]
    held.free.set()
    late = httpx.post(f"{address}predict", files=files, timeout=60)
    assert late.status_code == 503


def test_a_defect_is_noted_and_the_next_request_runs(
    client: TestClient,
    image: npt.NDArray[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = client.service.model  # type: ignore[attr-defined]
    run = model.segment

    def fail(*_: Any) -> Any:
        monkeypatch.setattr(model, "segment", run)
        raise ZeroDivisionError("a secret path")

    monkeypatch.setattr(model, "segment", fail)
    files = {"file": ("a.png", as_file(image))}
    broken = client.post("/predict", files=files)
    assert broken.status_code == 500
    assert "secret" not in broken.text
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert client.post("/predict", files=files).status_code == 200


def test_too_slow_a_file_costs_its_decoder_alone(connect: Connect, image: npt.NDArray[Any]) -> None:
    client = connect(Limits(decode_seconds=1e-6))
    files = {"file": ("a.png", as_file(image))}
    assert "limits of memory and time" in client.post("/predict", files=files).json()["error"]


def test_memory_of_the_decoder_is_bounded(connect: Connect) -> None:
    import numpy as np

    client = connect(Limits(decode_memory="32M"))
    large = as_file(np.zeros((5000, 5000, 3), np.uint8))  # 75 MB of pixels
    answer = client.post("/predict", files={"file": ("a.png", large)})
    assert answer.status_code == 422
    assert "memory" in answer.json()["error"]
