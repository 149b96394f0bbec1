from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg import assembly as build
from hierseg import cli
from hierseg.config import Experiment
from hierseg.data.sampling.epochs import TrainingSamples
from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES
from hierseg.training.loading import EpochBatches, build_loader, build_sampler
from hierseg.training.samples import GAP, STRIPE, render_sample, write_samples

from .conftest import change


def _read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_the_pictures_are_what_training_loads(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "assemble_network", lambda *_: pytest.fail("a network was built"))
    tiny = change(tiny, "data", color_jitter=0.25, blur="gaussian", rand_augment="2,15")
    paths = write_samples(tiny, tmp_path / "out", 5, epoch=2)
    assert [path.name[:11] for path in paths] == [f"e003-{n:05}-" for n in range(5)]

    data = build.build_datasets(tiny)
    space = data.train.label_space
    samples = TrainingSamples(data.train, build.build_transform(tiny, space), tiny.runtime.seed)
    batches = EpochBatches(build_sampler(tiny, data, []), tiny.data.batch)
    batches.start(2)
    loaded = [
        (batch["image"][i], batch["name"][i])
        for batch in build_loader(samples, batches, 0)
        for i in range(2)
    ]
    for path, (image, name) in zip(paths, loaded[:5], strict=True):
        assert path.name.endswith(f"-{name}.png")
        height, width = image.shape[-2:]
        assert np.array_equal(_read(path)[:height, :width], image.permute(1, 2, 0).numpy())
    legend = json.loads((tmp_path / "out" / "legend.json").read_text())
    assert [entry["name"] for entry in legend["classes"]] == ["red", "green", "blue"]


def test_labels_stand_beside_the_image_and_what_is_ignored_is_striped() -> None:
    labels = np.zeros((60, 90), np.uint8)
    labels[:, 45:] = 13
    labels[30:] = 255
    image = np.full((60, 90, 3), 200, np.uint8)
    picture = render_sample(image, labels, CITYSCAPES)
    assert picture.shape[1] == 180 + GAP
    assert np.array_equal(picture[:60, :90], image)
    right = picture[:60, 90 + GAP :]
    assert (right[:30, :45] == CITYSCAPES.colors[0]).all()
    assert (right[:30, 45:] == CITYSCAPES.colors[13]).all()
    ignored = right[30:]
    assert set(np.unique(ignored)) == {110, 190}
    assert ignored[0, :, 0].tolist() != ignored[STRIPE, :, 0].tolist()
    legend = picture[60:]
    for color in (CITYSCAPES.colors[0], CITYSCAPES.colors[13], (150, 150, 150)):
        assert (legend == color).all(-1).sum() > 100
    assert not (legend == CITYSCAPES.colors[1]).all(-1).any()


def test_a_legend_that_is_too_long_goes_on_in_another_line() -> None:
    labels = np.arange(19, dtype=np.uint8).repeat(8)[None].repeat(40, 0)
    picture = render_sample(np.zeros((40, 152, 3), np.uint8), labels, CITYSCAPES)
    assert picture.shape[0] > 40 + 5 * 22
    assert (picture[40:, -1] == 255).all()


def test_the_command_takes_the_flags_of_training(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        *("samples", "streets-lite0", "--data.name", "folder", "--data.root", str(tiny_data)),
        *("--data.crop", "64x80", "--data.workers", "0", "--out", str(tmp_path / "seen")),
    ]
    assert cli.main([*words, "--count", "3", "--data.rand-augment", "1,5"]) == 0
    assert "3 samples are in" in capsys.readouterr().out
    pictures = sorted((tmp_path / "seen").glob("e001-*.png"))
    assert len(pictures) == 3
    assert _read(pictures[0]).shape[1] == 160 + GAP
    for flags, said in (
        (["--count", "0"], "--count"),
        (["--epoch", "0"], "--epoch"),
        (["--data.rand-augment", "x"], "--data.rand-augment"),
    ):
        assert cli.main([*words, *flags]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["samples", "streets-lite0", "--data.root", str(tiny_data)])
    assert "--out" in capsys.readouterr().err


def test_settings_that_cannot_be_are_refused(tiny: Experiment, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--data\.flip"):
        write_samples(change(tiny, "data", flip=2.0), tmp_path / "out", 5)
    assert not (tmp_path / "out").exists()


def test_samples_replace_their_like_alone(tiny: Experiment, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write_samples(tiny, out, 1)
    assert write_samples(tiny, out, 2)[0] == first[0]
    (out / ".hierseg-samples.jsonl").unlink()
    before = first[0].read_bytes()
    with pytest.raises(UsageError, match="exists, and no record says that `hierseg samples`"):
        write_samples(tiny, out, 1)
    assert first[0].read_bytes() == before
    write_samples(tiny, out, 2, overwrite=True)
    write_samples(tiny, out, 2)
