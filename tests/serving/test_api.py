from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hierseg.serving.limits import Limits
from support.serving import Connect, as_file

Pixels = npt.NDArray[np.uint8]


def post(client: TestClient, content: bytes, name: str = "a street.png", **asked: Any) -> Any:
    return client.post("/predict", files={"file": (name, content)}, data=asked)


def open_png(content: bytes) -> npt.NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_json_has_class_shares_and_nothing_stays(client: TestClient, image: Pixels) -> None:
    answer = post(client, as_file(image))
    assert answer.status_code == 200
    said = answer.json()
    assert {k: said[k] for k in ("name", "kind", "height", "width")} == {
        "name": "a street.png", "kind": "picture", "height": 40, "width": 60,
    }  # fmt: skip
    assert [(one["name"], one["share"], one["train_id"]) for one in said["classes"]] == [
        ("red", 0.625, 0), ("blue & <b>white</b>", 0.25, 2), ("green", 0.125, 1),
    ]  # fmt: skip
    assert said["classes"][0]["color"] == "#fa0a0a"
    assert 0.9 < said["confidence"] <= 1
    assert list(client.service.store.passing.iterdir()) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("by", ["form", "address"])
def test_labels_are_the_train_ids(
    client: TestClient, image: Pixels, labels: Pixels, by: str
) -> None:
    files = {"file": ("a.png", as_file(image))}
    if by == "form":
        answer = client.post("/predict", files=files, data={"output": "labels"})
    else:
        answer = client.post("/predict?output=labels", files=files)
    assert answer.headers["content-type"] == "image/png"
    assert (open_png(answer.content) == labels).all()
    assert list(client.service.store.passing.iterdir()) == []  # type: ignore[attr-defined]


def test_overlay_and_zip_are_as_predict_writes_them(client: TestClient, image: Pixels) -> None:
    overlay = post(client, as_file(image), output="overlay")
    assert overlay.headers["content-type"] == "image/jpeg"
    assert open_png(overlay.content).shape == image.shape
    answer = post(client, as_file(image), output="zip", attention="1")
    assert 'filename="a_street.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(archive.namelist()) == [
            "a_street_attention_0.5.png", "a_street_attention_0.5_heat.jpg", "a_street_color.png",
            "a_street_confidence.png", "a_street_ids.png", "a_street_labels.png",
            "a_street_overlay.jpg", "legend.json",
        ]  # fmt: skip
        assert set(np.unique(open_png(archive.read("a_street_ids.png")))) == {0, 7, 300}
        assert json.loads(archive.read("legend.json"))["classes"][0]["name"] == "red"


def test_links_can_be_fetched_downloaded_together_and_removed(
    client: TestClient, image: Pixels, labels: Pixels
) -> None:
    first, second = (
        post(client, as_file(image), output="links", attention="1").json() for _ in range(2)
    )
    view = first["view"]
    assert (view["height"], view["width"]) == (40, 60)
    assert (open_png(client.get(view["labels"]).content) == labels).all()
    ramp = open_png(client.get(view["attention"]["0.5"]).content)
    assert ramp[20, 0] < 5
    assert 115 < ramp[20, -1] < 130  # 0.5 at the right
    assert open_png(client.get(view["confidence"]).content).min() > 200
    assert open_png(client.get(first["files"]["a_street_color.png"]).content).shape == image.shape
    both = client.get("/download", params={"id": [first["id"], second["id"]]})
    with zipfile.ZipFile(io.BytesIO(both.content)) as archive:
        assert {"a_street/a_street_labels.png", "a_street_2/a_street_labels.png"} <= set(
            archive.namelist()
        )
    assert client.delete(f"/results/{first['id']}").status_code == 200
    gone = client.get(view["labels"])
    assert gone.status_code == 404
    assert "no longer here" in gone.json()["error"]
    assert client.get(second["view"]["labels"]).status_code == 200


@pytest.mark.parametrize("file", ["upload.png", "..%2f..%2fpasswd", "nothing"])
def test_nothing_but_its_files_is_given_of_a_result(
    client: TestClient, image: Pixels, file: str
) -> None:
    said = post(client, as_file(image), output="links").json()
    assert client.get(f"/results/{said['id']}/{file}").status_code == 404


def test_the_oldest_results_make_room(connect: Connect, image: Pixels) -> None:
    client = connect(Limits(disk=1))
    first, second = (post(client, as_file(image), output="links").json() for _ in range(2))
    assert client.get(first["view"]["labels"]).status_code == 404
    assert client.get(second["view"]["labels"]).status_code == 200


def test_what_is_kept_stays(connect: Connect, image: Pixels, tmp_path: Path) -> None:
    client = connect(keep=tmp_path / "kept")
    post(client, as_file(image), output="links")
    post(client, as_file(image), output="labels")
    one, other = sorted((tmp_path / "kept").iterdir(), key=lambda path: len(list(path.iterdir())))
    assert sorted(path.name for path in one.iterdir()) == ["a_street_labels.png", "upload.png"]
    assert (other / "upload.png").read_bytes() == as_file(image)
    assert (other / "a_street_overlay.jpg").is_file()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"output": "xml"}, "output 'xml' is none of json, labels"),
        ({"scales": "0.5"}, "scales must include 1|must include 1"),
        ({"scales": "1,8"}, "runs no scale above 2"),
        ({"scales": "a"}, "are no numbers"),
        ({"engine": "abacus"}, "engine 'abacus' is none of auto"),
        ({"budget": "2"}, "budget 2"),
        ({"flip": "perhaps"}, "neither 1 nor 0"),
        ({"long_edge": "99999"}, "long_edge 99999 is more"),
        ({"long_edge": "5"}, "^long_edge 5: "),
        ({"every": "0.5"}, "every '0.5' is no whole number"),
        ({"colour": "red"}, "no parameter 'colour'"),
        ({"ticket": "a b"}, "8 to 64"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    client: TestClient, image: Pixels, asked: dict[str, str], said: str
) -> None:
    answer = post(client, as_file(image), **asked)
    assert answer.status_code == 422
    assert re.search(said, answer.json()["error"])
    assert "--" not in answer.json()["error"]
    assert client.service._places == 0  # type: ignore[attr-defined]


def test_scales_and_flip_reach_the_network(client: TestClient, image: Pixels, network: Any) -> None:
    network.calls.clear()
    post(client, as_file(image), scales="0.25, 1", flip="1")
    assert [call[1] for call in network.calls][-2:] == [(0.25, 1.0), (0.25, 1.0)]


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("a.png", b"", 422, "a.png: the file is empty."),
        ("a.png", b"only text", 422, "a.png: not an image of a known format."),
        ("a.nef", b"raw", 415, "a.nef is a raw photograph"),
    ],
)
def test_what_is_no_picture_is_a_sentence(
    client: TestClient, name: str, content: bytes, status: int, said: str
) -> None:
    answer = post(client, content, name)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(said)
    assert list(client.service.store.passing.iterdir()) == []  # type: ignore[attr-defined]


def test_truncated_large_and_small_pictures(connect: Connect, image: Pixels) -> None:
    client = connect(Limits(max_pixels=2400, max_bytes="100K"))
    assert post(client, as_file(image)).status_code == 200
    cut = post(client, as_file(image)[:-40])
    assert cut.status_code == 422
    assert "truncated" in cut.json()["error"]
    large = post(client, as_file(np.zeros((40, 61, 3), np.uint8)))
    assert large.status_code == 413
    assert "2,440 pixels are more than max_pixels 2,400" in large.json()["error"]
    heavy = post(client, bytes(200 * 1024))
    assert heavy.status_code == 413
    assert heavy.json()["error"] == "the upload is larger than the 100K that this server takes."
    tiny = post(client, as_file(np.zeros((8, 8, 3), np.uint8)))
    assert "smaller than 32x32" in tiny.json()["error"]


def test_the_decoder_is_started_anew_when_it_dies(connect: Connect, image: Pixels) -> None:
    client = connect(Limits(decode_seconds=29))  # one of its own
    assert post(client, as_file(image)).status_code == 200
    decoder = client.service.work.decoder  # type: ignore[attr-defined]
    first = decoder.process
    decoder._process.kill()
    decoder._process.wait()
    assert post(client, as_file(image)).status_code == 200
    assert decoder.process not in (None, first)


def test_forms_without_a_file(client: TestClient) -> None:
    assert client.post("/predict", json={}).status_code == 415
    empty = client.post("/predict", files={"picture": ("a.png", b"1")})
    assert empty.status_code == 422
    assert "field file" in empty.json()["error"]
    two = client.post("/predict", files=[("file", ("a", b"1")), ("file", ("b", b"1"))])
    assert two.status_code == 400
    assert "error" in two.json()


def test_other_addresses_and_methods_are_json(client: TestClient) -> None:
    assert client.get("/nothing").json() == {"error": "there is nothing at this address."}
    assert client.get("/predict").status_code == 405
    assert client.get("/docs").status_code == 404
    assert client.get("/tickets/abcdefgh").status_code == 404


def test_about_and_openapi_say_what_there_is(client: TestClient) -> None:
    about = client.get("/about").json()
    assert (about["weights"], about["scales"]) == ("flags", [0.5, 1.0])
    assert [one["name"] for one in about["classes"]][:2] == ["red", "green"]
    assert about["limits"]["pixels"] == 50_000_000
    described = client.get("/openapi.json").json()
    predict = described["paths"]["/predict"]["post"]
    assert {one["name"] for one in predict["parameters"]} >= {"scales", "engine", "output"}
    form = predict["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["format"] == "binary"
    assert "/results/{key}/{file}" in described["paths"]
