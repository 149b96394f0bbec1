from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hierseg.serving.limits import Limits
from support.clips import write_clip
from support.serving import Connect

pytest.importorskip("av")


@pytest.fixture
def clip(image: npt.NDArray[Any], tmp_path: Path) -> bytes:
    return write_clip(tmp_path / "drive.mp4", [image] * 10, 10).read_bytes()


def post(client: TestClient, content: bytes, **asked: Any) -> Any:
    return client.post("/predict", files={"file": ("drive.mp4", content)}, data=asked)


def test_json_of_a_clip_has_its_frames(client: TestClient, clip: bytes) -> None:
    said = post(client, clip, every="4", **{"from": "0.1"}).json()
    assert said["kind"] == "clip"
    assert [(one["index"], one["time"]) for one in said["frames"]] == [(1, 0.1), (5, 0.5), (9, 0.9)]
    assert said["classes"][0]["name"] == "red"
    assert said["classes"][0]["share"] == pytest.approx(0.625, abs=0.02)


def test_a_clip_gives_a_video_and_labels(
    client: TestClient, clip: bytes, labels: npt.NDArray[Any]
) -> None:
    answer = post(client, clip, every="5", output="zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(archive.namelist()) == [
            "drive_000000_labels.png", "drive_000005_labels.png", "drive_overlay.mp4",
            "legend.json",
        ]  # fmt: skip
        found = np.asarray(Image.open(io.BytesIO(archive.read("drive_000005_labels.png"))))
    assert (found == labels).mean() > 0.95
    overlay = post(client, clip, output="overlay")
    assert overlay.headers["content-type"] == "video/mp4"
    assert overlay.content[4:8] == b"ftyp"


def test_links_of_a_clip_show_each_frame(client: TestClient, clip: bytes) -> None:
    said = post(client, clip, every="5", output="links", attention="1").json()
    for frame in said["frames"]:
        assert client.get(frame["view"]["labels"]).status_code == 200
        assert set(frame["view"]["attention"]) == {"0.5"}
    assert "drive_overlay.mp4" in said["files"]


def test_what_there_is_not_of_clips(connect: Connect, clip: bytes) -> None:
    client = connect(Limits(max_frames=4))
    many = post(client, clip)
    assert many.status_code == 413
    assert "give every=3, or a part" in many.json()["error"]
    assert post(client, clip, every="3").status_code == 200
    labels = post(client, clip, output="labels", every="3")
    assert labels.status_code == 422
    assert "zip or links" in labels.json()["error"]
    damaged = post(client, clip[: len(clip) // 4], every="3")
    assert damaged.status_code == 422
    assert "drive.mp4" in damaged.json()["error"]
    assert "upload" not in damaged.json()["error"]
