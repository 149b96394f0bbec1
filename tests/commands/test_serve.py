from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from hierseg.cli import main
from support.serving import as_file


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines in; give --token auto"),
        (["--token", "short"], "--token needs at least 8"),
        (["--port", "99999"], "--port 99999 is not a port"),
        (["--weights", "nothing"], "there are no weights 'nothing'"),
        (["--queue", "0"], "--queue 0 lets nothing pass"),
        (["--max-bytes", "much"], "give --max-bytes 24G"),
        (["--budget", "3"], "--budget 3"),
        (["--host", "no.such.host.invalid", "--token", "auto"], "is no address of this machine"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *words]) in (1, 2)
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is in use" in said
    assert f"--port {port + 1 if port < 65535 else port - 1}" in said


def test_without_the_extra_it_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve"]) == 1
    assert 'pip install "hierseg[serve]"' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "hierseg", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    assert found is not None
    files = {"file": ("a.png", as_file(np.zeros((64, 96, 3), np.uint8)))}
    answer = httpx.post(f"{found[0]}predict", files=files, data={"output": "links"}, timeout=120)
    assert answer.status_code == 200
    assert list(tmp_path.glob("hierseg-serve-*/*"))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ended; nothing is kept." in said
    assert "Traceback" not in said
    assert list(tmp_path.glob("hierseg-serve-*")) == []
