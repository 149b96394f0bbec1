"""docs/serving.md: what it says can be sent is taken."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from hierseg.commands.serve import PORT
from hierseg.serving.limits import Limits, show_bytes
from hierseg.serving.parameters import PARAMETERS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_all_parameters_and_limits_are_described() -> None:
    for name in PARAMETERS:
        assert re.search(rf"^\| [^|]*`{name}`", PAGE, re.MULTILINE), name
    usual = Limits().resolve()
    for flag, shown in {
        "max-bytes": show_bytes(int(usual.max_bytes)),
        "max-pixels": f"{usual.max_pixels:,}",
        "max-frames": f"{usual.max_frames}",
        "max-scale": f"{usual.max_scale:g}",
        "queue": f"{usual.queue}",
        "rate": f"{usual.rate}",
        "disk": show_bytes(int(usual.disk)),
    }.items():
        assert f"| `--{flag}` | {shown} |" in PAGE
    assert f"http://127.0.0.1:{PORT}/" in PAGE


def test_the_example_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "street.jpg")
    monkeypatch.chdir(tmp_path)

    def post(address: str, files: dict[str, Any], timeout: int) -> httpx.Response:
        assert address == f"http://127.0.0.1:{PORT}/predict"
        assert files["file"].read(2) == b"\xff\xd8"
        content = {"classes": [{"name": "road", "share": 0.25}]}
        return httpx.Response(200, json=content, request=httpx.Request("POST", address))

    monkeypatch.setattr(httpx, "post", post)
    exec(compile(code, sys.argv[0], "exec"), {})
    assert capsys.readouterr().out == "road: 25.0%\n"
