from __future__ import annotations

from typing import Any

import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient

from hierseg.serving.gate import HEADERS, Rate, is_loopback
from hierseg.serving.limits import Limits, Refusal
from support.serving import Connect, as_file

TOKEN = "a secret of ours"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("127.0.0.1", 200),
        ("127.0.0.1:9000", 200),  # through a tunnel
        ("evil.example:8765", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("", 421),
        ("127.0.0.1:port", 421),
        ("192.168.1.7:8765", 421),
    ],
)
def test_a_name_that_is_made_to_point_here_is_refused(
    client: TestClient, host: str, status: int
) -> None:
    answer = client.get("/about", headers={"host": host})
    assert answer.status_code == status
    if status != 200:
        assert "is not called" in answer.json()["error"]


def test_on_all_addresses_each_of_them_will_do(connect: Connect) -> None:
    client = connect(hosts=["localhost"], any_address=True)
    for host, status in (("192.168.1.7:8765", 200), ("[::1]:8765", 200), ("evil.example", 421)):
        assert client.get("/about", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate"}, 403),  # a form
    ],
)
def test_pages_of_other_sites_cannot_have_it_work(
    client: TestClient, image: npt.NDArray[Any], headers: dict[str, str], status: int
) -> None:
    answer = client.post("/predict", files={"file": ("a.png", as_file(image))}, headers=headers)
    assert answer.status_code == status


def test_another_site_may_link_to_the_page_and_embed_nothing(client: TestClient) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/page.js", headers=embedded).status_code == 403


@pytest.mark.parametrize("path", ["/", "/about", "/nothing", "/page.js"])
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_without_the_token_nothing_is_given(connect: Connect, image: npt.NDArray[Any]) -> None:
    client = connect(token=TOKEN)
    for path in ("/about", "/openapi.json", "/results/a/b", "/page.js", "/download"):
        answer = client.get(path)
        assert (answer.status_code, "token" in answer.json()["error"]) == (401, True)
        assert answer.headers["www-authenticate"] == "Bearer"
    files = {"file": ("a.png", as_file(image))}
    assert client.post("/predict", files=files).status_code == 401
    assert client.get("/health").status_code == 200
    shown = {"authorization": f"Bearer {TOKEN}"}
    assert client.post("/predict", files=files, headers=shown).status_code == 200
    wrong = {"authorization": f"Bearer {TOKEN}x"}
    assert client.post("/predict", files=files, headers=wrong).status_code == 401


def test_a_browser_signs_in_once(connect: Connect) -> None:
    client = connect(token=TOKEN)
    to_login = client.get("/")
    assert (to_login.status_code, to_login.headers["location"]) == (303, "login")
    wrong = client.post("/login", data={"token": "another"})
    assert wrong.status_code == 401
    assert "not the token" in wrong.text
    assert "set-cookie" not in wrong.headers
    right = client.post("/login", data={"token": TOKEN})
    assert right.status_code == 303
    assert "HttpOnly; SameSite=Lax" in right.headers["set-cookie"]
    assert TOKEN not in right.headers["set-cookie"]
    assert client.get("/about").status_code == 200


def test_an_address_with_the_token_signs_in_and_loses_it(connect: Connect) -> None:
    client = connect(token="plain-token")
    answer = client.get("/?token=plain-token")
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert client.get("/about").status_code == 200
    of_one_session = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    other = connect(token="plain-token")
    assert client.get("/about", headers=of_one_session).status_code == 200
    assert other.get("/about", headers=of_one_session).status_code == 401


def test_tokens_are_not_guessed_at_will(connect: Connect) -> None:
    client = connect(token=TOKEN)
    seen = [
        client.get("/about", headers={"authorization": f"Bearer {number}"}).status_code
        for number in range(12)
    ]
    assert seen == [401] * 10 + [429] * 2


def test_an_upload_without_a_length_is_cut_off(connect: Connect) -> None:
    client = connect(Limits(max_bytes="100K"))
    border = b"--b\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n"
    answer = client.post(
        "/predict",
        content=(piece for piece in [border, *[bytes(10_000)] * 30]),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 413
    assert "100K" in answer.json()["error"]


def test_a_rate_is_of_one_address_and_refills() -> None:
    rate = Rate(60)
    for _ in range(60):
        rate.take("a", now=0)
    with pytest.raises(Refusal, match="try again in 1 s") as refused:
        rate.take("a", now=0.1)
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    rate.take("b", now=0.1)
    rate.take("a", now=1.1)
    with pytest.raises(Refusal):
        rate.take("a", now=1.2)


def test_who_asks_too_often_is_told_when_to_come_again(
    connect: Connect, image: npt.NDArray[Any]
) -> None:
    client = connect(Limits(rate=2))
    files = {"file": ("a.png", as_file(image))}
    seen = [client.post("/predict", files=files) for _ in range(3)]
    assert [one.status_code for one in seen] == [200, 200, 429]
    assert 1 <= int(seen[2].headers["retry-after"]) <= 30


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own
