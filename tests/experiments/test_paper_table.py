"""The table of ways to combine scales."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.scripts import load_script


def test_a_run_that_was_interrupted_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("paper_table")
    folder = tmp_path / "runs" / "hier-seed0"
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "last.safetensors").write_bytes(b"weights of epoch 3")
    (folder / "status.json").write_text('{"state": "stopped", "attempts": []}')
    asked = []
    monkeypatch.setattr(script, "open_dataset", lambda *_: asked.append("data"))
    monkeypatch.setattr(script, "load_model", lambda _: (_ for _ in ()).throw(LookupError))
    arguments = argparse.Namespace(out=tmp_path)
    script.measure(arguments, "hier", 0, (0.5, 1.0))
    assert asked == []
    (folder / "status.json").write_text('{"state": "done", "attempts": []}')
    with pytest.raises(LookupError):
        script.measure(arguments, "hier", 0, (0.5, 1.0))
    assert asked == ["data"]


def test_every_variant_is_a_recipe_that_can_be_trained() -> None:
    """The sweep would find out only when the run's turn comes."""
    script = load_script("paper_table")
    costs = load_script("paper_costs")
    for name in script.VARIANTS:
        costs.build_criterion(costs.describe(name), costs.CAMVID)


def test_students_differ_by_their_teacher_alone(tmp_path: Path) -> None:
    script, costs = load_script("distilled_students"), load_script("paper_costs")
    alone, taught, weighted, by_three, third, third_taught = (
        costs.apply_settings(costs.get_recipe("camvid-lite0"), variant.settings)
        for variant in script.list_students(tmp_path).values()
    )
    own = str(tmp_path / "runs" / "explicit-seed0" / "run")
    bound = alone.loss.weight_bound
    for one, teacher, weight_bound in (
        (taught, "streetlite", 0),
        (weighted, "streetlite", bound),
        (by_three, own, bound),
    ):
        assert (one.distill.teacher, one.distill.weight_bound) == (teacher, weight_bound)
        assert dataclasses.replace(one, distill=alone.distill) == alone
    assert third.data.root == tmp_path / "data" / "thrice"
    assert third.distill.teacher is None
    all_frames = dataclasses.replace(third_taught.data, root=third.data.root)
    assert dataclasses.replace(third_taught, distill=third.distill, data=all_frames) == third


def test_a_third_is_taken_three_times_or_beside_frames_without_labels(tmp_path: Path) -> None:
    script = load_script("distilled_students")
    grey = np.full((4, 6), 3, np.uint8)
    for part, names in (("third", "ad"), ("rest", "bc")):
        for folder in ("train", "trainannot", "val", "valannot"):
            (tmp_path / part / folder).mkdir(parents=True)
        for name in names:
            cv2.imwrite(str(tmp_path / part / "train" / f"{name}.png"), grey)
            cv2.imwrite(str(tmp_path / part / "trainannot" / f"{name}.png"), grey)
    script.prepare_thirds(tmp_path)
    script.prepare_thirds(tmp_path)  # as an interrupted experiment does

    def values(part: str) -> dict[str, set[int]]:
        files = sorted((tmp_path / part / "trainannot").iterdir())
        return {one.stem: set(cv2.imread(str(one), -1).flatten().tolist()) for one in files}

    assert values("frames") == {"a": {3}, "b": {11}, "c": {11}, "d": {3}}
    assert values("thrice") == {f"{name}_{number}": {3} for name in "ad" for number in range(3)}
    for part in ("thrice", "frames"):
        images = [one.name for one in (tmp_path / part / "train").iterdir()]
        assert sorted(images) == [f"{name}.png" for name in sorted(values(part))]
        assert (tmp_path / part / "valannot").is_dir()


def test_rows_have_titles_by_what_they_combine() -> None:
    script, students = load_script("paper_table"), load_script("distilled_students")
    rows = [
        {"variant": name, "scales": scales, "miou": miou, "pixel_accuracy": "0.8", "iou_car": "0.7"}
        for name, scales, miou in (
            ("single", "1", "0.5"), ("single", "1", "0.52"), ("single", "0.5 1 2", "0.6"),
        )
    ]  # fmt: skip
    lines = script.format_rows(rows).splitlines()
    assert lines[2:4] == [
        "| one scale | 1 | 2 | 51.00 ± 1.41 | 80.00 ± 0.00 |",
        "| average | 0.5 1 2 | 1 | 60.00 | 80.00 |",
    ]
    assert lines[5:] == [
        "| IoU of | at | car |", "|---|---|---|",
        "| one scale | 1 | 70.0 ± 0.0 |", "| average | 0.5 1 2 | 70.0 |",
    ]  # fmt: skip
    costs = [
        {
            "variant": "single", "scales": "1", "step_gflop": "5.48", "step_seconds": "0.601",
            "run_gflop": "1.88", "run_seconds": "0.0370",
        }
    ]  # fmt: skip
    lines = script.format_rows(rows, costs=costs).splitlines()
    assert lines[2].endswith("| 80.00 ± 0.00 | 5.5 | 0.60 | 1.9 | 37 |")
    assert lines[3].endswith("| 60.00 | 80.00 |  |  |  |  |")
    lines = script.format_rows(rows, students.STUDENTS).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| labels alone"] * 2


def test_runs_of_another_length_are_not_measured_side_by_side(tmp_path: Path) -> None:
    script = load_script("paper_table")
    run = tmp_path / "single-seed0" / "run"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"config": {"optim": {"epochs": 8}}}')
    script.require_same_epochs(tmp_path, 8)
    with pytest.raises(SystemExit, match="run is of 8 epochs, not 16; give another --out"):
        script.require_same_epochs(tmp_path, 16)
