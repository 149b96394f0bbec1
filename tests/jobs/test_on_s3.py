"""Sources and outputs in a local S3: slow, since a server is started for it, and Ray."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_on_ray import ENVIRONMENT, answers, draw, free_port, list_actors

pytestmark = pytest.mark.slow
COUNT = 24
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that lets in whoever has a key, until it is told that it must know it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not answers(port):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def bucket(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A bucket with images in ``frames``, and the folder with the same ones here."""
    s3fs = pytest.importorskip("s3fs")
    store = s3fs.S3FileSystem(
        key="a", secret="b", endpoint_url=server, use_listings_cache=False,
        client_kwargs={"region_name": "us-east-1"},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("s3")
    draw(folder, COUNT)
    store.call_s3("create_bucket", Bucket="bucket")
    store.put(f"{folder}/images/train/", "bucket/frames/", recursive=True)
    return store, folder / "images" / "train"


@pytest.fixture
def predict(server: str) -> Start:
    def start(*words: object, **environment: str) -> subprocess.Popen[str]:
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        keys |= {"AWS_ENDPOINT_URL": server, "AWS_DEFAULT_REGION": "us-east-1"}
        command = ["predict", *words, "--weights", "streets-lite0", "--engine", "torch"]
        return subprocess.Popen(
            [sys.executable, "-m", "hierseg", *map(str, command)],
            env=ENVIRONMENT | keys | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def end(process: subprocess.Popen[str], status: int = 0) -> str:
    _, said = process.communicate(timeout=900)
    assert process.returncode == status, said
    return said


def read(store: Any, place: str) -> dict[str, bytes]:
    """What does not name the sources or tell the time."""
    names = [name for name in store.find(place) if name.endswith((".png", ".jpg", "legend.json"))]
    return {name.removeprefix(f"{place}/"): store.cat(name) for name in names}


def read_here(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")]
    files.append(folder / "legend.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def wanted(bucket: tuple[Any, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("wanted")
    command = ["predict", str(bucket[1]), "--out", str(out), "--weights", "streets-lite0"]
    subprocess.run(
        [sys.executable, "-m", "hierseg", *command, "--engine", "torch"],
        env=ENVIRONMENT, check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    return read_here(out)


def test_a_killed_run_goes_on_from_what_the_bucket_says(
    bucket: tuple[Any, Path], predict: Start, wanted: dict[str, bytes]
) -> None:
    store, _ = bucket
    words = ["s3://bucket/frames", "--out", "s3://bucket/killed"]
    first = predict(*words)
    while first.poll() is None and len(store.glob("bucket/killed/*_labels.png")) < 3:
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    end(first, 130)
    done = json.loads(store.cat("bucket/killed/summary.json"))["images_done"]
    assert 3 <= done < COUNT
    second = predict(*words)
    while second.poll() is None and len(store.glob("bucket/killed/*_labels.png")) < done + 3:
        time.sleep(0.1)
    second.kill()
    second.communicate()
    assert 0 < len(store.glob("bucket/killed/*_labels.png")) < COUNT
    end(predict(*words))
    assert read(store, "bucket/killed") == wanted
    assert not store.glob("bucket/killed/.hierseg-journal*")


def test_actors_read_and_write_the_bucket_and_one_is_killed(
    bucket: tuple[Any, Path], predict: Start, wanted: dict[str, bytes]
) -> None:
    store, _ = bucket
    driver = predict(
        "s3://bucket/frames", "--out", "s3://bucket/spread", "--runner", "ray", "--actors", 2
    )
    while driver.poll() is None and len(store.glob("bucket/spread/*_labels.png")) < 3:
        time.sleep(0.1)
    actors = list_actors(driver.pid)
    assert actors
    os.kill(random.Random(3).choice(actors), signal.SIGKILL)
    said = end(driver)
    assert said.count("a worker is lost") == 1, said
    assert read(store, "bucket/spread") == wanted


def test_what_a_bucket_refuses_is_said_in_a_sentence(
    server: str, bucket: tuple[Any, Path], predict: Start, tmp_path: Path
) -> None:
    out = ["--out", tmp_path / "out"]
    said = end(predict("s3://nosuch/frames", *out), 1)
    assert "there is nothing at s3://nosuch/frames (The specified bucket does not exist)" in said
    said = end(predict("s3://bucket/frames", "--out", "s3://nosuch/masks"), 1)
    assert "there is nothing at s3://nosuch/masks" in said
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    nowhere = f"http://127.0.0.1:{port}"
    said = end(predict("s3://bucket/frames", *out, AWS_ENDPOINT_URL=nowhere), 1)
    assert "s3://bucket/frames cannot be reached (Could not connect" in said
    request = urllib.request.Request(
        f"{server}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST"
    )
    urllib.request.urlopen(request).close()
    said = end(predict("s3://bucket/frames", *out), 1)
    assert (
        "access to s3://bucket/frames is refused (The AWS Access Key Id you provided does not"
        in said
    )
    assert "Traceback" not in said
