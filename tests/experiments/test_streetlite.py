from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.labels import CAMVID
from support.scripts import load_script

FRAMES = {
    "train": ["0001TP_006690", "0006R0_f00930", "0006R0_f00960", "0016E5_00390"],
    "val": ["0016E5_07959", "0016E5_07961"],
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("streetlite")


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Two splits of three sequences; a frame's colour and class are its own."""
    for split, names in FRAMES.items():
        for number, name in enumerate(names):
            for folder, value in ((split, (number, 0, 0)), (f"{split}annot", number)):
                path = tmp_path / "camvid" / folder / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.empty((8, 12, 3) if folder == split else (8, 12), np.uint8)
                pixels[...] = value
                Image.fromarray(pixels).save(path)
    return tmp_path / "camvid"


def _arguments(camvid: Path, out: Path, **settings: object) -> argparse.Namespace:
    return argparse.Namespace(
        camvid=camvid,
        out=out,
        epochs=None,
        workers=0,
        settings=settings,
        stages=1,
        name="a",
        streets=Path("STREETS"),
    )


def test_sequences_are_those_of_both_splits(script: ModuleType, camvid: Path) -> None:
    assert script.find_sequences(camvid) == ["0001TP", "0006R0", "0016E5"]


def test_a_sequence_left_out_is_measured_and_never_trained_on(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    experiment = script.describe(_arguments(camvid, tmp_path / "runs"), "without-0016E5")
    names = {
        split: [s.name for s in open_dataset("camvid", experiment.data.root, split).samples]
        for split in ("train", "val")
    }
    assert names["train"] == FRAMES["train"][:3]
    assert names["val"] == [FRAMES["train"][3], *FRAMES["val"]]
    assert experiment.runtime.seed == 0
    # Each frame has come with its own labels.
    record = open_dataset("camvid", experiment.data.root, "val").read(0)
    assert (record.image[..., 0] == 3).all()
    assert record.labels is not None
    assert (record.labels == 3).all()
    script.describe(_arguments(camvid, tmp_path / "runs"), "without-0016E5")  # again


def test_seeds_are_the_recipe_on_the_standard_split(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    experiments = [script.describe(_arguments(camvid, tmp_path), f"seed-{n}") for n in (0, 2)]
    assert [e.runtime.seed for e in experiments] == [0, 2]
    assert {e.data.root for e in experiments} == {camvid}
    assert {(e.recipe, e.model.weights, e.model.replace_head) for e in experiments} == {
        ("streetlite", "streets-lite0", True)
    }
    assert experiments[0].runtime.out != experiments[1].runtime.out


@pytest.mark.parametrize("run", ["seed-1", "without-0006R0"])
def test_a_stage_goes_on_from_the_one_before(
    script: ModuleType, camvid: Path, tmp_path: Path, run: str
) -> None:
    names = [run, f"{run}-finished", f"{run}-polished"]
    stages = [script.describe(_arguments(camvid, tmp_path), name) for name in names]
    recipes = ["streetlite", "streetlite-finish", "streetlite-polish"]
    assert [stage.recipe for stage in stages] == recipes
    starts = [str(tmp_path / name / "last.safetensors") for name in names[:2]]
    assert [stage.model.weights for stage in stages] == ["streets-lite0", *starts]
    assert [stage.model.replace_head for stage in stages] == [True, False, False]
    assert [stage.loss.lovasz_weight for stage in stages] == [0, 1, 2]
    assert [stage.runtime.out for stage in stages] == [tmp_path / name for name in names]
    assert len({stage.data.root for stage in stages}) == 1
    seed = stages[0].runtime.seed
    assert [stage.runtime.seed for stage in stages] == [seed, seed, seed + 1]


def test_the_second_edition_goes_on_from_seed_0(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    arguments = _arguments(camvid, tmp_path)
    weathered = script.describe(arguments, "weathered")
    assert (weathered.recipe, weathered.runtime.seed) == ("streetlite-weather", 0)
    assert (weathered.data.degrade, weathered.data.also_share) == (0.5, 0.15)
    assert weathered.data.also_root == Path("STREETS")
    assert Path(str(weathered.data.also)).is_file()
    cleared = [script.describe(arguments, f"cleared-{seed}") for seed in (0, 2)]
    for stage, seed in zip(cleared, (0, 2), strict=True):
        assert (stage.recipe, stage.runtime.seed) == ("streetlite-clear", seed)
        assert (stage.data.degrade, stage.data.also) == (0.3, None)
    for stage, start in ((weathered, "seed-0-polished"), *((one, "weathered") for one in cleared)):
        assert stage.model.weights == str(tmp_path / start / "last.safetensors")
        assert not stage.model.replace_head
        assert stage.data.root == camvid


def test_one_training_without_a_sequence_has_what_the_last_stage_has(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    experiment = script.describe(_arguments(camvid, tmp_path), "once-without-0001TP")
    assert (experiment.recipe, experiment.model.weights) == ("streetlite", "streets-lite0")
    assert (experiment.data.degrade, experiment.data.also_share) == (0.5, 0.15)
    assert (experiment.loss.lovasz_weight, experiment.optim.epochs) == (1.5, 18)
    names = [s.name for s in open_dataset("camvid", experiment.data.root, "train").samples]
    assert sorted(names) == sorted([*FRAMES["train"][1:], *FRAMES["val"]])


def test_runs_that_draw_from_scenes_say_that_they_need_them(
    script: ModuleType, camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        script.main([str(camvid), "--out", str(tmp_path), "--only", "cleared-1"])
    assert "cleared-1 draws from scenes; name their folder with --streets" in (
        capsys.readouterr().err
    )


def test_the_table_keeps_the_two_kinds_of_figures_apart(script: ModuleType) -> None:
    runs = (
        ("seed-0", "0.70", "0.2"),
        ("seed-1", "0.74", "0.4"),
        ("seed-0-finished", "0.8", "0.6"),
        ("without-0006R0", "0.5", "nan"),
    )
    rows = [
        {
            "run": run,
            "trained_on": "367",
            "measured_on": "101",
            "plain_miou": "0.1",
            "miou": miou,
            "pixel_accuracy": "0.9",
            "iou_sky": "0.9",
            "iou_pole": pole,
        }
        for run, miou, pole in runs
    ]
    table = script.format_results(rows).splitlines()
    assert "| mean over seeds |  |  | 10.00 ± 0.00 | 72.00 ± 2.83 | 90.00 ± 0.00 |" in table
    assert "| mean over sequences left out |  |  | 10.00 | 50.00 | 90.00 |" in table
    assert "| mean over seeds, finished |  |  | 10.00 | 80.00 | 90.00 |" in table
    assert "| pole | 30.00 ± 14.14 | 60.00 |  |" in table
    assert script.format_results([]) == "no run is done yet"


def test_a_run_that_is_none_is_refused(
    script: ModuleType, camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        script.main([str(camvid), "--out", str(tmp_path), "--only", "without-0006RO"])
    assert "without-0006R0" in capsys.readouterr().err


def test_what_is_tried_holds_in_every_stage(
    script: ModuleType, camvid: Path, tmp_path: Path
) -> None:
    settings = script.read_settings(
        ["data.degrade=0.5", "model.name=lite2-ocr-hier", "model.weights=S2", "data.crop=96x128"]
    )
    arguments = _arguments(camvid, tmp_path, **settings)
    stages = [script.describe(arguments, run) for run in ("seed-0", "seed-0-polished")]
    for stage in stages:
        assert (stage.data.degrade, stage.model.name) == (0.5, "lite2-ocr-hier")
        assert tuple(stage.data.crop) == (96, 128)
    before = str(tmp_path / "seed-0-finished" / "last.safetensors")
    assert [stage.model.weights for stage in stages] == ["S2", before]
    assert [stage.model.replace_head for stage in stages] == [True, False]


def test_a_try_has_its_line_once_all_its_runs_have_theirs(
    script: ModuleType, camvid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"seed-0": 0.7, "without-0001TP": 0.5, "without-0006R0": 0.6, "without-0016E5": 0.4}
    measured: list[str] = []

    def measure(arguments: argparse.Namespace, run: str) -> dict[str, str]:
        measured.append(run)
        assert arguments.out == tmp_path / "dusk"
        assert arguments.settings == {"data.degrade": 0.5}
        figure = {"miou": f"{figures[run]}", "plain_miou": f"{figures[run] - 0.1}"}
        counts = {"run": run, "trained_on": "4", "measured_on": "2", "epochs": "3"}
        return {**counts, "minutes": "1.5", **figure, "pixel_accuracy": "0.9", "iou_sky": "0.9"}

    monkeypatch.setattr(script, "measure", measure)
    monkeypatch.setattr(script, "measure_kept", lambda weights, *_: 0.66)
    words = [str(camvid), "--out", str(tmp_path), "--try", "dusk", "--set", "data.degrade=0.5"]
    script.main([*words, "--only", "seed-0", "without-0016E5"])
    assert not (tmp_path / "tries.csv").exists()
    for _ in range(2):  # the second time nothing is left to do
        script.main(words)
    assert sorted(measured) == sorted(figures)
    (line,) = script.read_rows(tmp_path / "tries.csv")
    assert line["try"] == "dusk"
    assert line["settings"] == "data.degrade=0.5"
    shown = [float(line[key]) for key in ("val", "left_out", "score", "kept", "minutes")]
    assert shown == pytest.approx([0.7, 0.5, 0.6, 0.66, 6.0])
    assert float(line["left_out_plain"]) == pytest.approx(0.4)
    table = script.format_tries(tmp_path / "tries.csv")
    assert "| dusk | data.degrade=0.5 | 3 | 6.0 | 60.00 | 70.00 | 50.00 | 66.00 |" in table


def test_a_name_is_of_one_try(
    script: ModuleType, camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.require_same(tmp_path / "a", {"data.degrade": 0.5, "eval.scales": (1, 2)}, None)
    script.require_same(tmp_path / "a", {"data.degrade": 0.5, "eval.scales": [1, 2]}, None)
    words = [str(camvid), "--out", str(tmp_path)]
    for more, said in (
        (["--try", "a", "--set", "data.degrade=0.4"], "another name"),
        (["--try", "a", "--set", "data.degrade"], "no NAME=VALUE"),
        (["--set", "data.degrade=0.4"], "--try"),
    ):
        with pytest.raises(SystemExit):
            script.main([*words, *more])
        assert said in capsys.readouterr().err


def test_corruptions_are_measured_on_one_frame_in_twelve(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["streetlite_tries"]
    seen: list[list[str]] = []
    names = [f"{number:03}" for number in range(101)]
    frames = [Sample(name, Path(name)) for name in names]
    split = SegmentationDataset("camvid", "val", CAMVID, frames)
    monkeypatch.setattr(module, "load_model", lambda _: None)
    monkeypatch.setattr(module, "open_dataset", lambda *_: split)

    def run(measure: object, dataset: SegmentationDataset, *_: object) -> argparse.Namespace:
        seen.append([sample.name for sample in dataset.samples])
        return argparse.Namespace(mean_kept=lambda: 0.5)

    monkeypatch.setattr(module, "evaluate", lambda *_, **__: None)
    monkeypatch.setattr(module, "run_corruptions", run)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"w")
    assert script.measure_kept(weights, tmp_path, tmp_path / "out") == 0.5
    assert seen == [["005", "017", "029", "041", "053", "065", "077", "089"]]
