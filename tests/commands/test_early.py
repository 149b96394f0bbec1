"""What is mistyped is said at once: before torch is imported, which takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CHECKPOINT = ["--out", "new.safetensors"]
MISTYPED = {
    "evaluate root": ["evaluate", "--data", "camvid", "--root", "nowhere"],
    "evaluate weights": ["evaluate", "--data", "camvid", "--root", ".", "--weights", "nowhere"],
    "evaluate description": ["evaluate", "--data", "nowhere.yaml"],
    "evaluate data": ["evaluate", "--data", "camvd", "--root", "."],
    "evaluate no root": ["evaluate", "--data", "camvid"],
    "evaluate limit": ["evaluate", "--data", "camvid", "--root", ".", "--limit", "0"],
    "evaluate window": [
        "evaluate", "--data", "camvid", "--root", "nowhere", "--mode", "slide",
    ],
    "evaluate layout": ["evaluate", "--data", "camvid", "--root", "."],
    "evaluate split": ["evaluate", "--data", "camvid", "--root", ".", "--split", "vall"],
    "check root": ["check", "camvid", "--root", "nowhere"],
    "check description": ["check", "nowhere.yaml"],
    "convert": ["convert", "nowhere.pth", "new.safetensors"],
    "convert name": ["convert", "nowhere.pth", "new.pth"],
    "convert back": ["convert", "nowhere.safetensors", "new.pth", "--to-published"],
    "autolabel root": ["autolabel", "--data", "folder", "--root", "nowhere", "--out", "o"],
    "autolabel weights": [
        "autolabel", "--data", "folder", "--root", ".", "--out", "o", "--weights", "nowhere",
    ],
    "submit": ["submit", "--data", "kitti", "--root", "nowhere", "--out", "o.zip"],
    "submit out": ["submit", "--data", "kitti", "--root", ".", "--out", "o.txt"],
    "calibrate": ["calibrate", "--data", "camvid", "--root", "nowhere", *CHECKPOINT],
    "calibrate weights": [
        "calibrate", "--data", "camvid", "--root", ".", "--weights", "nowhere", *CHECKPOINT,
    ],
    "adjust": ["adjust", "--data", "camvid", "--root", "nowhere", *CHECKPOINT],
    "adjust out": ["adjust", "--data", "camvid", "--root", ".", "--out", "new.pth"],
    "train": ["train", "camvid-lite0", "--data.root", "nowhere", "--runtime.out", "o"],
    "train no root": ["train", "camvid-lite0", "--runtime.out", "o"],
    "train init": ["train", "camvid-lite0", "--data.root", ".", "--init", "nowhere"],
    "train recipe": ["train", "camvid-lite"],
    "samples": ["samples", "camvid-lite0", "--data.root", "nowhere", "--out", "o"],
    "plan": ["plan", "camvid-lite0", "--data.root", "nowhere"],
    "demo": ["demo", "--out", "o", "--weights", "nowhere"],
    "a flag": ["evaluate", "--dat", "camvid"],
    "a choice": ["evaluate", "--data", "camvid", "--preset", "citiscapes"],
    "a command": ["evalute"],
}  # fmt: skip

CODE = """
import contextlib, io, json, sys
from hierseg.cli import main
found = {}
for name, words in json.load(sys.stdin).items():
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            status = main(words)
        except SystemExit as left:
            status = left.code
    found[name] = (status, said.getvalue(), "torch" in sys.modules)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, bool]]:
    folder = tmp_path_factory.mktemp("early")
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(MISTYPED), cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not list(folder.iterdir())
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("name", MISTYPED)
def test_what_is_mistyped_is_said_before_torch_is_imported(
    name: str, found: dict[str, tuple[int, str, bool]]
) -> None:
    status, said, torch = found[name]
    assert status in (1, 2)
    assert said
    assert "Traceback" not in said
    assert not torch, said


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("evaluate root", "'nowhere' is not a folder; give as --root"),
        ("evaluate weights", "there are no weights 'nowhere'"),
        ("evaluate description", "there is no file 'nowhere.yaml'"),
        ("evaluate data", "there is no data set 'camvd'; "),
        ("evaluate no root", "camvid needs its folder; give as --root"),
        ("evaluate layout", "split 'val' of camvid has no images under '.'"),
        ("evaluate split", "camvid has no split 'vall'; it has train, val, test."),
        ("convert", "there is no file nowhere.pth; check the path."),
        ("convert back", "there are no weights 'nowhere.safetensors'"),
        ("train init", "there are no weights 'nowhere'"),
        ("train recipe", "there is no recipe 'camvid-lite'; did you mean 'camvid-lite0'"),
        ("demo", "there are no weights 'nowhere'"),
    ],
)
def test_what_is_said_is_what_opening_it_says(
    name: str, sentence: str, found: dict[str, tuple[int, str, bool]]
) -> None:
    assert f"hierseg: {sentence}" in found[name][1]


def test_unknown_weights_are_wrong_usage_like_a_missing_image(
    found: dict[str, tuple[int, str, bool]],
) -> None:
    for name in ("evaluate weights", "autolabel weights", "calibrate weights", "demo", "convert"):
        assert found[name][0] == 2
