"""A model as a repository of the Hub, by the Hub's own reader of cards; sending, to a stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file

from hierseg.checkpoint import hub, load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.exporting.hub_figures import find_figures
from hierseg.labels import LabelSpace
from hierseg.models.registry import create_model

NARROW = {"width": 2, "mid_channels": 4, "key_channels": 4, "attention_channels": 4}
SPACE = LabelSpace(
    "odd|space", ("road *", "<b>", "c_d"), ((9, 0, 0), (1, 2, 3), (9, 9, 9)), (7, 8, 4)
)
MEASURED = {
    "data": "My Streets", "split": "val", "miou": 0.7142852, "pixel_accuracy": 0.84372, "images": 5,
    "scales": [0.5, 1.0], "flip": True, "standard_split": False, "split_note": "first half",
}  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = create_model("hrnet18s-ocr-hier", 3, **NARROW).eval()
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, network, SPACE, record={"recipe": "mine", "epoch": 3, **MEASURED})
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((40, 64, 3), 90, np.uint8)).save(path)
    return path


def _publish(weights: Path, *words: object) -> int:
    return main(["publish", str(weights), *map(str, words)])


def test_a_folder_is_what_the_hub_reads(weights: Path, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model-one"
    assert _publish(weights, "--to", folder, "--license", "cc-by-4.0", "--picture", photo) == 0
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.library_name) == ("cc-by-4.0", "hierseg")
    assert card.data.pipeline_tag == "image-segmentation"
    assert "semantic-segmentation" in card.data.tags
    assert card.data.model_name == "model-one"
    results = {one.metric_type: one for one in card.data.eval_results}
    assert results["mean_iou"].metric_value == 0.7143
    assert results["accuracy"].metric_value == 0.8437
    one = results["mean_iou"]
    assert (one.task_type, one.dataset_type, one.dataset_name, one.dataset_split) == (
        "image-segmentation", "my-streets", "My Streets", "val",
    )  # fmt: skip
    assert "5 images, at scales 0.5 1 and mirrored, first half" in str(one.metric_name)
    assert 'Predictor("hf:OWNER/model-one")' in card.text
    assert r"| 1 | \<b\> | 1 2 3 |" in card.text  # names are no markup
    space = json.loads((folder / "label_space.json").read_text())
    assert space["names"] == ["road *", "<b>", "c_d"]
    assert Image.open(folder / "picture.jpg").size == (128, 40)
    sent = load_model(folder / "model.safetensors")
    assert sent.header.label_space == SPACE
    ours, theirs = load_file(weights), load_file(folder / "model.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours.keys() | theirs.keys())


def test_figures_of_files_go_before_those_of_training(
    weights: Path, photo: Path, tmp_path: Path
) -> None:
    found = {"hierseg": "1", "command": "evaluate", **MEASURED, "miou": 0.5, "standard_split": True}
    found["per_class"] = {"road *": 0.25, "c_d": None}
    (tmp_path / "val.json").write_text(json.dumps(found))
    folder = tmp_path / "model"
    words = ("--license", "mit", "--figures", tmp_path / "val.json", "--picture", photo)
    assert _publish(weights, "--to", folder, *words) == 0
    card = ModelCard.load(folder / "README.md")
    values = [one.metric_value for one in card.data.eval_results if one.metric_type == "mean_iou"]
    assert values == [0.5]
    assert r"| road \* | 25.00 |" in card.text
    assert r"| c\_d | - |" in card.text


@pytest.mark.parametrize(
    "damage",
    [{"miou": 1.5}, {"miou": True}, {"miou": float("nan")}, {"data": None}, {"images": "many"},
     {"scales": [None]}, {"per_class": {"a": "b"}}],
)  # fmt: skip
def test_what_is_no_figure_is_not_stated(damage: dict[str, Any]) -> None:
    assert find_figures(MEASURED) is not None
    assert find_figures({**MEASURED, **damage}) is None


def test_without_figures_the_card_has_no_index(photo: Path, tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "bare.safetensors", create_model("hrnet18s-ocr-hier", 3, **NARROW), SPACE
    )
    words = ("--license", "other", "--license-name", "Ours", "--license-link", "LICENSE.md")
    folder = tmp_path / "bare"
    status = _publish(tmp_path / "bare.safetensors", "--to", folder, "--picture", photo, *words)
    assert status == 0
    card = ModelCard.load(folder / "README.md")
    assert card.data.eval_results is None
    assert (card.data.license_name, card.data.license_link) == ("Ours", "LICENSE.md")
    assert "None were measured." in card.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the licence of the weights is missing"),
        (("--license", "Apache-2.0"), "--license Apache-2.0 is not an identifier of the Hub"),
        (("--license", "other"), "--license-name and --license-link say what"),
        (("--license", "mit", "--private"), "--private is for the Hub"),
        (("--license", "mit", "--picture", "none.png"), "there is no picture none.png"),
        (("--license", "mit", "--figures", "pyproject.toml"), "'pyproject.toml' holds no figures"),
    ],
)
def test_what_is_wrong_is_said(
    words: tuple[str, ...], said: str, weights: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert _publish(weights, "--to", tmp_path / "out", *words) != 0
    error = capsys.readouterr().err
    assert f"hierseg: {said}" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_files_of_others_stay(weights: Path, tmp_path: Path, photo: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    words = ("--to", folder, "--license", "mit", "--picture", photo)
    assert _publish(weights, *words) == 2
    assert (folder / "README.md").read_text() == "mine"
    assert _publish(weights, *words, "--overwrite") == 0
    assert _publish(weights, *words) == 0  # its own
    assert _publish(folder / "model.safetensors", *words, "--overwrite") == 2  # what is read


class Conflict(Exception):
    """As the Hub refuses a repository that is there."""

    class response:
        status_code = 409


class Api:
    """Keeps what it was sent."""

    sent: list[dict[str, Any]]

    def __init__(self, **_: Any) -> None:
        pass

    def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> str:
        if repository == "owner/there" and not exist_ok:
            raise Conflict
        if repository == "owner/refused":
            raise OSError("403 Forbidden\x1b[31m.\nmore")
        Api.sent.append({"created": repository, "private": private})
        return f"https://huggingface.co/{repository}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        names = sorted(path.name for path in Path(folder_path).iterdir())
        text = (Path(folder_path) / "README.md").read_text()
        Api.sent.append({"repository": repo_id, "files": names, "card": text})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> type[Api]:
    Api.sent = []
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "a token")
    monkeypatch.setattr(hub, "_is_reachable", lambda: True)
    return Api


def test_to_the_hub(weights: Path, photo: Path, api: type[Api]) -> None:
    words = ("--license", "mit", "--picture", photo, "--private")
    assert _publish(weights, "--to", "hf:owner/name", *words) == 0
    created, sent = api.sent
    assert created == {"created": "owner/name", "private": True}
    assert sent["repository"] == "owner/name"
    assert sent["files"] == ["README.md", "label_space.json", "model.safetensors", "picture.jpg"]
    assert 'Predictor("hf:owner/name")' in sent["card"]


def test_what_the_hub_refuses(
    weights: Path, photo: Path, api: type[Api], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    words = ("--license", "mit", "--picture", photo)
    assert _publish(weights, "--to", "hf:owner/there", *words) == 1
    assert "hf:owner/there is there already; choose another name" in capsys.readouterr().err
    assert _publish(weights, "--to", "hf:owner/there", *words, "--overwrite") == 0
    assert _publish(weights, "--to", "hf:owner/refused", *words) == 1
    assert r"cannot be published (403 Forbidden\x1b[31m)" in capsys.readouterr().err
    api.sent.clear()
    for name in ("hf:name", "hf:a/b/c", "hf:a/b--c", "hf:", "hf:own er/x", f"hf:o/{'n' * 100}"):
        assert _publish(weights, "--to", name, *words) == 2
        assert "is no name on the Hub; give hf:owner/name" in capsys.readouterr().err
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert _publish(weights, "--to", "hf:owner/name", *words) == 1
    assert "there is no token to publish hf:owner/name with" in capsys.readouterr().err
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "a token")
    monkeypatch.setattr(hub, "_is_reachable", lambda: False)
    assert _publish(weights, "--to", "hf:owner/name", *words) == 1
    assert "the Hub cannot be reached" in capsys.readouterr().err
    assert api.sent == []
