from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.commands.evaluate import evaluate
from hierseg.commands.measures import MeasureFlags
from hierseg.errors import UsageError, UserError
from hierseg.inference.segmenter import Segmenter
from hierseg.labels import CAMVID, CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.options import RunOptions
from hierseg.size import Size


@pytest.fixture(scope="module")
def camvid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of noise in CamVid's layout, and a checkpoint that knows nothing."""
    root = tmp_path_factory.mktemp("camvid")
    random = np.random.default_rng(0)
    for folder in ("val", "valannot"):
        (root / folder).mkdir()
    for number in range(2):
        image = random.integers(0, 255, (40, 56, 3)).astype(np.uint8)
        labels = random.integers(0, 12, (40, 56)).astype(np.uint8)
        assert cv2.imwrite(str(root / "val" / f"{number}.png"), image)
        assert cv2.imwrite(str(root / "valannot" / f"{number}.png"), labels)
    torch.manual_seed(0)
    save_checkpoint(root / "camvid.safetensors", create_model("lite0-ocr-hier", 11), CAMVID)
    save_checkpoint(root / "city.safetensors", create_model("lite0-ocr-hier", 19), CITYSCAPES)
    return root


def test_a_table_and_json(camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "result.json"
    evaluate("camvid", camvid, weights=str(camvid / "camvid.safetensors"), device="cpu", json=out)
    said = capsys.readouterr().out
    content = json.loads(out.read_text())
    assert (
        f"mIoU {100 * content['miou']:.2f} over {content['num_classes_averaged']} classes" in said
    )
    assert all(f"\n{name} " in said for name in CAMVID.names)
    assert 0 <= content["miou"] <= 1
    assert content["scales"] == [0.5, 1.0]
    assert list(content["per_class"]) == list(CAMVID.names)
    assert content["images"] == 2


def test_flags_reach_the_evaluation(camvid: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    weights = str(camvid / "camvid.safetensors")
    how = RunOptions(scales=(1.0, 2.0), flip=True)
    evaluate("camvid", camvid, "val", weights, "cpu", 1, out, how=how)
    content = json.loads(out.read_text())
    assert (content["scales"], content["flip"], content["images"]) == ([1.0, 2.0], True, 1)


def test_two_splits_are_evaluated_as_one(camvid: Path, tmp_path: Path) -> None:
    root, saved = tmp_path / "camvid", tmp_path / "saved"
    shutil.copytree(camvid, root)
    for folder in ("", "annot"):
        shutil.copytree(root / f"val{folder}", root / f"train{folder}")
    found = {}
    for split in ("train", "train+val"):
        out = tmp_path / f"{split}.json"
        weights = str(camvid / "camvid.safetensors")
        evaluate("camvid", root, split, weights, "cpu", None, out, save_predictions=saved / split)
        found[split] = json.loads(out.read_text())
    assert found["train+val"]["images"] == 4
    assert found["train+val"]["split"] == "train+val"
    # The same images twice over.
    assert found["train+val"]["miou"] == pytest.approx(found["train"]["miou"], abs=1e-12)
    assert (saved / "train+val" / "val" / "1_labels.png").is_file()


def test_what_cannot_be_is_refused(camvid: Path, tmp_path: Path) -> None:
    weights = str(camvid / "camvid.safetensors")
    with pytest.raises(UsageError, match=r"--scales 0\.5 1"):
        evaluate("camvid", camvid, weights=weights, how=RunOptions(scales=(0.5,)))
    with pytest.raises(UsageError, match="--limit"):
        evaluate("camvid", camvid, weights=weights, limit=0)
    with pytest.raises(UsageError, match="--device"):
        evaluate("camvid", camvid, weights=weights, device="abacus")
    with pytest.raises(UserError, match="--json"):
        evaluate("camvid", camvid, weights=weights, json=tmp_path / "none" / "result.json")
    with pytest.raises(UsageError, match="--ids is for --predictions"):
        evaluate("camvid", camvid, weights=weights, ids="raw")
    with pytest.raises(UserError, match="classes of 'cityscapes'"):
        evaluate("camvid", camvid, weights=str(camvid / "city.safetensors"), device="cpu")


def test_weights_that_give_no_numbers_and_too_little_memory_are_said(
    camvid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load_model(camvid / "camvid.safetensors")
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    save_checkpoint(tmp_path / "nan.safetensors", network, CAMVID)
    with pytest.raises(UserError, match="outputs for '0' are NaN or infinite"):
        evaluate("camvid", camvid, weights=str(tmp_path / "nan.safetensors"), device="cpu")

    def fail(*_arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Segmenter, "logits", fail)
    with pytest.raises(UserError, match=r"not enough memory to run '0'; .*--long-edge"):
        evaluate("camvid", camvid, weights=str(camvid / "camvid.safetensors"), device="cpu")


def test_a_gpu_that_is_not_there_is_said(camvid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="no 'cuda:2', but cuda:0 to cuda:1; give --device"):
        evaluate("camvid", camvid, weights=str(camvid / "camvid.safetensors"), device="cuda:2")


def test_windows_saved_maps_and_the_worst_page(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(camvid / "camvid.safetensors")
    maps, page, out = tmp_path / "maps", tmp_path / "worst", tmp_path / "result.json"
    evaluate(
        "camvid", camvid, weights=weights, device="cpu", json=out, worst=1, out=page,
        how=RunOptions(mode="slide", window=Size(32, 40), overlap=0.5), save_predictions=maps,
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "2 images at scales 0.5 1, windows 32x40 overlapping by 0.5" in said
    assert f"worst images: {(page / 'index.html').as_uri()}" in said
    slid = json.loads(out.read_text())
    assert slid["mode"] == "windows 32x40 overlapping by 0.5"
    for ids in ("train", "raw"):
        evaluate("camvid", camvid, predictions=maps, ids=ids, json=out)  # type: ignore[arg-type]
        scored = json.loads(out.read_text())
        assert scored["confusion"] == slid["confusion"]
        assert scored["scales"] == []
    assert f"2 images by label maps of {maps}" in capsys.readouterr().out
    evaluate("camvid", camvid, weights=weights, device="cpu", json=out)
    assert json.loads(out.read_text())["confusion"] != slid["confusion"]


def test_flags_that_do_not_go_together_are_refused(camvid: Path, tmp_path: Path) -> None:
    for flags, message in (
        ({"how": RunOptions(window=Size(32, 32))}, "--window is for --mode slide"),
        ({"how": RunOptions(overlap=0.1)}, "--overlap is for --mode slide"),
        ({"how": RunOptions(mode="slide", overlap=1.0)}, "--overlap 1"),
        ({"how": RunOptions(mode="slide", window=Size(8, 64))}, "--window 8x64"),
        ({"predictions": tmp_path, "how": RunOptions(flip=True)}, "--flip is for a network"),
        (
            {"predictions": tmp_path, "how": RunOptions(mode="slide")},
            "--mode slide is for a network",
        ),
        ({"predictions": tmp_path, "how": RunOptions("mapillary")}, "--preset is for a network"),
        ({"predictions": tmp_path, "weights": "x"}, "--weights is for a network"),
        ({"predictions": tmp_path}, r"holds no \.png"),
        ({"worst": -1}, "--worst"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate("camvid", camvid, **flags)  # type: ignore[arg-type]


def test_the_published_preset_counts_at_its_long_edge(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = str(camvid / "camvid.safetensors"), tmp_path / "result.json"
    how = RunOptions(preset="mapillary", scales=(1.0,), long_edge=84)

    def count(**flags: Any) -> dict[str, Any]:
        evaluate("camvid", camvid, weights=weights, device="cpu", json=out, **flags)
        found: dict[str, Any] = json.loads(out.read_text())
        return {**found, "pixels": sum(map(sum, found["confusion"]))}

    labels = [cv2.imread(str(path), 0) for path in sorted((camvid / "valannot").iterdir())]
    at_run = count(how=how)
    assert at_run["counted_at"] == "run"
    assert "labels too (nearest" in at_run["split_note"]
    enlarged = [np.repeat(np.repeat(one, 3, 0), 3, 1)[1::2, 1::2] for one in labels]  # 84 / 56
    assert at_run["pixels"] == sum(int((one < 11).sum()) for one in enlarged)
    assert "counted at the size that images ran at" in capsys.readouterr().out
    at_label = count(how=how, count_at="label")
    assert at_label["counted_at"] == "label"
    assert at_label["pixels"] == sum(int((one < 11).sum()) for one in labels)
    assert "counted at" not in capsys.readouterr().out
    plain = RunOptions(scales=(1.0,), flip=True, long_edge=84)
    assert count(how=plain)["counted_at"] == "label"
    assert count(how=plain, count_at="run")["miou"] == at_run["miou"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"count_at": "run"}, "--count-at run counts at --long-edge N"),
        (
            {"how": RunOptions(preset="mapillary"), "val_crop": Size(32, 32)},
            "give --count-at label",
        ),
        ({"count_at": "run", "predictions": Path("maps")}, "--count-at is for a network"),
        (
            {"save_panels": Path("panels"), "predictions": Path("maps")},
            "--save-panels needs a network",
        ),
        ({"save_panels": Path("a"), "out": Path("a"), "worst": 1}, "name another one"),
        ({"how": RunOptions(fusion="hierarchical")}, "averages them; leave it out"),
    ],
)
def test_what_cannot_be_together_is_refused(
    camvid: Path, tmp_path: Path, flags: dict[str, Any], message: str
) -> None:
    averaging = tmp_path / "averaging.safetensors"
    save_checkpoint(averaging, create_model("lite0-ocr-hier", 11, hierarchical=False), CAMVID)
    network = {} if "predictions" in flags else {"weights": str(averaging), "device": "cpu"}
    with pytest.raises(UsageError, match=message):
        evaluate("camvid", camvid, **network, **flags)


def test_panels_and_scales_are_written_and_said(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, panels = tmp_path / "result.json", tmp_path / "panels"
    evaluate(
        "camvid", camvid, weights=str(camvid / "camvid.safetensors"), device="cpu", json=out,
        save_panels=panels, measures=MeasureFlags(table="full", per_scale=True),
    )  # fmt: skip
    said = capsys.readouterr().out
    assert f"all images: {(panels / 'index.html').resolve().as_uri()}" in said
    assert "FN/TP" in said
    assert "mIoU of each scale alone" in said
    content = json.loads(out.read_text())
    assert set(content["per_scale"]) == {"0.5", "1"}
    assert content["processes"] == 1
    assert (panels / "0_attention_0.5.png").is_file()
    assert f"loss {content['loss']:.4f}" in said
    evaluate(
        "camvid", camvid, weights=str(camvid / "camvid.safetensors"), device="cpu", json=out,
        how=RunOptions(scales=(0.5, 0.75), fusion="average"),
    )  # fmt: skip
    assert "at scales 0.5 0.75, averaged" in capsys.readouterr().out


def test_images_are_run_at_a_short_edge_and_counted_at_their_own(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hierseg.size import Size
    from hierseg.streets.layouts import draw_scenes, write_cityscapes

    write_cityscapes(tmp_path, draw_scenes(3, Size(64, 96)))
    words = ["evaluate", "--data", "cityscapes", "--root", str(tmp_path), "--scales", "1"]
    words += ["--weights", str(checkpoint)]
    figures = []
    for edge in (["--short-edge", "32"], ["--long-edge", "48"], []):
        out = tmp_path / f"{len(figures)}.json"
        assert main([*words, *edge, "--json", str(out)]) == 0
        figures.append(json.loads(out.read_text()))
    assert "short edge 32" in figures[0]["split_note"]
    assert figures[0]["per_class"] == figures[1]["per_class"] != figures[2]["per_class"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--short-edge", "31"], "--short-edge 31 is too small"),
        (["--short-edge", "64", "--long-edge", "64"], "both say the size"),
        (["--short-edge", "64", "--preset", "mapillary"], "both say the size"),
        (["--short-edge", "64", "--predictions", "x"], "--short-edge is for a network"),
    ],
)
def test_a_short_edge_that_cannot_be_is_said(
    flags: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", "cityscapes", "--root", str(tmp_path), *flags]) == 2
    assert sentence in capsys.readouterr().err
