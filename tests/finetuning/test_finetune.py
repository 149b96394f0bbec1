"""From a folder to a page by the command line, on two blocks in pictures of 64x96."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import torch

from hierseg import cli
from hierseg.checkpoint.load import open_weights
from hierseg.checkpoint.save import save_checkpoint
from hierseg.data.catalog import open_dataset
from hierseg.finetuning import plan as planning
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.size import Size
from support.pages import read_cards
from support.shapes import color_mask, draw_blocks, draw_shapes, write_image


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    network = create_model("lite0-ocr-hier", CITYSCAPES.num_classes, pretrained=False)
    save_checkpoint(path, network, CITYSCAPES)
    return path


def write_data(root: Path, count: int = 6, size: Size = Size(64, 96)) -> Path:
    for index in range(count):
        picture, mask = draw_blocks(index, size)
        write_image(root / "images" / f"{index}.png", picture)
        write_image(root / "masks" / f"{index}.png", color_mask(mask))
    return root


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader's processes take longer to start than these runs do."""
    monkeypatch.setattr(planning, "CPU_WORKERS", 0)


@pytest.fixture
def words(tmp_path: Path, weights: Path) -> list[str]:
    data = write_data(tmp_path / "blocks & <b>")
    return [
        *("finetune", str(data), "--weights", str(weights), "--device", "cpu"),
        *("--epochs", "2", "--batch", "2", "-o", str(tmp_path / "out")),
    ]


def test_one_command_from_a_folder_to_a_page(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "layout   images and masks" in said
    assert "split    train 5, val 1" in said
    assert "2 epochs, 4 steps of 2 crops of 64x96" in said
    last = said.splitlines()[-1]
    found = re.match(r"mIoU (\d\.\d\d) on 1 image of val", last)
    assert found is not None
    result = json.loads((out / "finetune.json").read_text())["result"]
    assert float(found[1]) == pytest.approx(result["miou"], abs=0.006)
    page = (out / "index.html").read_text()
    for part in ("<svg", "hierseg predict PICTURES", "highest IoU", "lowest IoU", "red", "blue"):
        assert part in page
    assert "<b>" not in page.split("</title>")[0]
    assert "http://" not in page.replace("http://www.w3.org", "")
    pictures = [address for card in read_cards(page) for address in card.addresses]
    assert pictures
    for picture in pictures:
        assert (out / unquote(picture)).is_file()
    assert open_weights(str(out)).header.label_space.names == ("background", "blue", "red")

    # The command that the page shows, and the data's file, do what they say.
    photos = str(tmp_path / "blocks & <b>" / "images")
    predicted = str(tmp_path / "predicted")
    assert cli.main(["predict", photos, "--weights", str(out), "--out", predicted]) == 0
    assert len(list(Path(predicted).glob("*_labels.png"))) == 6
    assert len(open_dataset(out / "data" / "data.yaml", split="train")) == 5
    capsys.readouterr()

    # Once more shows the same, and other settings or other files are refused.
    before = (out / "best.safetensors").read_bytes()
    assert cli.main(words) == 0
    again = capsys.readouterr()
    assert again.out.splitlines()[-1] == last
    assert "epoch 1/2" not in again.err
    assert (out / "best.safetensors").read_bytes() == before
    assert cli.main([*words, "--seed", "4"]) == 2
    assert "--seed was not given, is now 4" in capsys.readouterr().err
    (out / "finetune.json").unlink()
    assert cli.main(words) == 2
    assert "holds other files" in capsys.readouterr().err


def test_an_interrupted_run_goes_on_and_larger_images_are_run_at_what_was_trained_at(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hierseg.training.reporting.display import PlainDisplay

    monkeypatch.setattr(planning, "CPU_EDGE", 72)
    told = PlainDisplay.on_epoch

    def interrupt(self: PlainDisplay, report: object) -> None:
        raise KeyboardInterrupt("stopped by SIGINT; continue with --runtime.resume.")

    monkeypatch.setattr(PlainDisplay, "on_epoch", interrupt)
    assert cli.main(words) == 130
    assert "repeat the command to go on" in capsys.readouterr().err
    monkeypatch.setattr(PlainDisplay, "on_epoch", told)
    assert cli.main(words) == 0
    said = capsys.readouterr()
    assert "goes on" in said.out
    assert "resumed after step 2" in said.err
    assert open_weights(str(tmp_path / "out")).header.long_edge == 72
    epochs = (tmp_path / "out" / "training" / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in epochs[1:]] == [["1", "2"], ["2", "4"]]


def test_an_unusable_folder_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "own" / "images" / "a.png", draw_blocks(0)[0])
    assert cli.main(["finetune", str(tmp_path / "own"), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("hierseg: ")
    assert "masks/" in said
    assert not list((tmp_path / "out").iterdir())
    assert cli.main(["finetune", str(tmp_path / "own"), "--weights", "none-such"]) == 2


def test_the_datas_own_check_comes_first(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "own")
    path = data / "images" / "3.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    words = ["finetune", str(data), "--weights", str(weights), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 1
    assert "3.png" in capsys.readouterr().err
    assert not (tmp_path / "out" / "training").exists()


def test_describe_prints_a_description_and_writes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "own")
    assert cli.main(["describe", str(data)]) == 0
    said = capsys.readouterr()
    assert "layout" in said.err
    (tmp_path / "own.yaml").write_text(said.out)
    assert cli.main(["check", str(tmp_path / "own.yaml")]) == 0
    capsys.readouterr()
    assert cli.main(["describe", str(data), "-o", str(tmp_path / "out")]) == 0
    written = capsys.readouterr().out.strip()
    dataset = open_dataset(written, split="train")
    labels = dataset.read(0).labels
    assert labels is not None
    assert set(np.unique(labels)) == {0, 1, 2}
    assert cli.main(["describe", str(data), "-o", str(tmp_path / "out")]) == 2


@pytest.mark.slow
def test_shapes_over_streets_are_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, (picture, mask) in enumerate(draw_shapes(40, Size(360, 480))):
        write_image(tmp_path / "shapes" / "photos" / f"{index}.jpg", picture)
        write_image(tmp_path / "shapes" / "masks" / f"{index}.png", color_mask(mask))
    words = ["finetune", str(tmp_path / "shapes"), "--device", "cpu", "-o", str(tmp_path / "out")]
    assert cli.main(words) == 0
    found = re.match(r"mIoU (\d\.\d\d)", capsys.readouterr().out.splitlines()[-1])
    assert found is not None
    assert float(found[1]) >= 0.90
