from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest
import torch

from hierseg.checkpoint import load_sdcnet, open_flow
from hierseg.errors import UsageError, UserError
from hierseg.flow import write_flow
from hierseg.propagation import SdcNetExperiment, Watch, find_clips, train_sdcnet
from hierseg.propagation.sdcnet_training import hold_out
from hierseg.size import Size
from support.moving import draw_clip, write_clip


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    write_clip(tmp_path / "clips" / "a", draw_clip(6, 64, 64))
    return tmp_path / "clips"


def _experiment(clips: Path, out: Path, **changes: object) -> SdcNetExperiment:
    settings: dict[str, object] = {
        "model.width": 4,
        "data.root": clips,
        "data.batch": 1,
        "data.crop": Size(64, 64),
        "data.val_count": 1,
        "data.workers": 0,
        "optim.steps": 4,
        "optim.lr": 1e-3,
        "runtime.out": out,
        "runtime.device": "cpu",
        "runtime.log_every": 1,
        "runtime.save_every": 2,
        "runtime.validate_every": 2,
    } | changes
    experiment = SdcNetExperiment()
    for name, value in settings.items():
        part, _, field = name.partition(".")
        changed = dataclasses.replace(getattr(experiment, part), **{field: value})
        experiment = dataclasses.replace(experiment, **{part: changed})
    return experiment


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_that_is_continued_ends_as_one_that_was_not_stopped(
    clips: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    train_sdcnet(_experiment(clips, whole), Watch(lambda *step: steps.append(step), said.append))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert any("step 4: repeat" in line and "sdcnet" in line for line in said)
    train_sdcnet(_experiment(clips, broken, **{"optim.steps": 3}))
    # As if it had been killed after its last step, with its rows written and its state not.
    newest = max((broken / "states").iterdir())
    newest.unlink()
    train_sdcnet(_experiment(clips, broken, **{"runtime.resume": True}))
    one, other = (load_sdcnet(folder / "last.safetensors") for folder in (whole, broken))
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name
    assert _rows(whole / "steps.csv") == _rows(broken / "steps.csv")
    assert [row["step"] for row in _rows(broken / "validation.csv")] == ["2", "4"]
    assert one.record["step"] == 4
    assert one.record["inputs"] == "dis"
    assert open_flow(f"sdcnet:{whole}").needs_before


def test_training_makes_the_frame_better(tmp_path: Path) -> None:
    """Motion that turns in the middle of a clip; the flow that goes in is stillness."""
    clips, flow = tmp_path / "clips", tmp_path / "flow"
    write_clip(clips, draw_clip(4, 64, 64, step=(3, 0)), "{}.png")
    flow.mkdir()
    for target in range(4):
        for source in (target - 1, target + 1):
            write_flow(flow / f"{target}_to_{source}.npz", torch.zeros(64, 64, 2).numpy())
    out = tmp_path / "run"
    changes = {
        "data.flow": f"folder:{flow}",
        "data.reverse": 0.0,
        "optim.steps": 40,
        "optim.lr": 3e-3,
        "runtime.validate_every": 40,
        "runtime.save_every": 100,
    }
    train_sdcnet(_experiment(clips, out, **changes))
    row = _rows(out / "validation.csv")[-1]
    assert float(row["folder_psnr"]) == float(row["repeat_psnr"])
    assert float(row["sdcnet_psnr"]) > float(row["repeat_psnr"]) + 1
    losses = [float(row["loss"]) for row in _rows(out / "steps.csv")]
    assert losses[-1] < 0.8 * losses[0]


def test_held_out_frames_are_not_trained_on(tmp_path: Path) -> None:
    write_clip(tmp_path, draw_clip(22, 32, 32))
    training, held_out = hold_out(find_clips(tmp_path))
    assert [triple.start for triple in held_out] == [18, 19]
    assert max(triple.start for triple in training) + 2 < 18


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.batch": 0}, "--data.batch 0"),
        ({"optim.steps": 0}, "--optim.steps 0"),
        ({"optim.lr": float("nan")}, "--optim.lr nan"),
        ({"data.reverse": 1.5}, "--data.reverse 1.5"),
        ({"data.crop": Size(16, 64)}, "--data.crop 16x64"),
        ({"data.flow": "sdcnet:x"}, "--data.flow sdcnet:x"),
        ({"data.flow": "nothing"}, "--data.flow nothing"),
        ({"data.root": None}, "--data.root"),
        ({"runtime.out": None}, "--runtime.out"),
        ({"model.width": 5}, "width"),
        ({"runtime.resume": True}, "no run to resume"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    clips: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        train_sdcnet(_experiment(clips, tmp_path / "run", **changes))
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_folder_is_used_once_and_by_the_same_run(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_sdcnet(_experiment(clips, out, **{"optim.steps": 1}))
    with pytest.raises(UserError, match="not empty"):
        train_sdcnet(_experiment(clips, out))
    other = {"runtime.resume": True, "model.width": 8}
    with pytest.raises(UserError, match=r"--model\.width was 4, is now 8"):
        train_sdcnet(_experiment(clips, out, **other))
    start = {"model.weights": out / "last.safetensors", "model.form": "prediction"}
    with pytest.raises(UsageError, match=r"--model\.form reconstruction"):
        train_sdcnet(_experiment(clips, tmp_path / "next", **start))
