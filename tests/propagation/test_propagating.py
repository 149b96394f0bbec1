"""Propagation from folder to data set: layouts, resuming, what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hierseg.checkpoint import open_flow
from hierseg.data import (
    PROPAGATION,
    CheckReport,
    check_data,
    open_dataset,
    open_propagated,
    read_propagation,
)
from hierseg.errors import UsageError, UserError
from hierseg.flow import DisFlow
from hierseg.labels import CITYSCAPES
from hierseg.propagation import (
    CityscapesSequence,
    FrameFolder,
    PropagationSummary,
    Rules,
    propagate,
)

RULES = Rules(2)


@pytest.fixture(scope="module")
def clips(street_clips: Path) -> Path:
    return street_clips


def run(root: Path, out: Path, rules: Rules = RULES, **more: Any) -> PropagationSummary:
    estimator = more.pop("estimator", DisFlow())
    return propagate(CityscapesSequence(root, "train"), out, estimator, rules, **more)


@pytest.fixture(scope="module")
def made(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "set"
    summary = run(clips, out)
    assert (summary.labelled, summary.alone, summary.made) == (2, 1, 8)
    assert summary.problems == ()
    assert list(summary.kept) == [0, 1, 2]
    assert summary.kept[0] > summary.kept[2]
    return out


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*_leftImg8bit.png"))


def test_it_is_a_data_set_as_any_other(made: Path, clips: Path) -> None:
    report = CheckReport("cityscapes")
    check_data(report, made, workers=0)
    assert not report.would_go_wrong
    assert len(open_dataset("cityscapes", made, "val")) == 1
    data = open_dataset("cityscapes", made, "train")
    assert len(data) == 10
    real = open_dataset("cityscapes", clips, "train")
    by_name = {data.samples[i].name: i for i in range(len(data))}
    for index in range(len(real)):
        record = real.read(index)
        copy = data.read(by_name[record.name])
        assert (copy.image == record.image).all()
        assert (copy.labels == record.labels).all()
    label = data.samples[0].label
    assert label is not None
    colored = label.with_name(label.name.replace("labelIds", "color"))
    shown = cv2.imread(str(colored))[..., ::-1]
    assert (shown == CITYSCAPES.color_table()[data.read(0).labels]).all()


def test_confidence_lies_beside_as_of_auto_labels(made: Path) -> None:
    data = open_dataset("cityscapes", made, "train")
    record = next(iter(read_propagation(made / PROPAGATION).records.values()))
    frame = record.frames[-1]
    assert frame.step == 2
    confidence = cv2.imread(str(made / frame.confidence), cv2.IMREAD_UNCHANGED)
    labels = data.encode_file(made / frame.label)
    every = data.encode_file(made / frame.files[0])
    assert frame.confidence == frame.files[0].replace(".png", "_prob.png")
    assert confidence.dtype == np.uint8
    assert ((labels == 255) == (confidence < 128)).mean() > 0.999
    assert (every == 255).sum() < (labels == 255).sum()
    assert (confidence[every == 255] == 0).all()
    assert (every == labels)[labels != 255].all()


def agree(clips: Path, out: Path) -> float:
    """Share of the propagated pixels that have the class of the truth."""
    right = total = 0
    for record in read_propagation(out / PROPAGATION).records.values():
        for frame in record.frames:
            truth = clips / frame.label.replace("gtFine/", "gtFine_sequence/")
            own, true = (
                CITYSCAPES.encode(np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
                for path in (out / frame.label, truth)
            )
            counted = (own != 255) & (true != 255)
            right += int((own == true)[counted].sum())
            total += int(counted.sum())
    return right / total


def test_exact_flow_gives_the_exact_labels(clips: Path, made: Path, tmp_path: Path) -> None:
    exact = open_flow(f"folder:{clips / 'flow_sequence'}")
    summary = run(clips, tmp_path / "set", estimator=exact)
    assert summary.problems == ()
    share = agree(clips, tmp_path / "set")
    assert share > 0.97  # what remains are single pixels, sampled twice
    assert share > agree(clips, made)


def test_an_interrupted_run_is_completed_to_the_same_bytes(
    clips: Path, made: Path, tmp_path: Path
) -> None:
    class Stops(DisFlow):
        calls = 0

        def estimate(self, *args: Any, **more: Any) -> Any:
            self.calls += 1
            if self.calls > 10:
                raise KeyboardInterrupt
            return super().estimate(*args, **more)

    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt, match=r"1 of 3 labelled frames are done"):
        run(clips, out, estimator=Stops())
    assert len(read_propagation(out / PROPAGATION).records) == 1
    # A killed one may also have cut off a line, and left a file that is not whole.
    with (out / PROPAGATION).open("a") as file:
        file.write('{"key": "train/')
    (out / ".propagation.work").mkdir()
    (out / ".propagation.work" / "left.part").touch()
    before = {name: (out / name).stat().st_mtime_ns for name in files(out) if name.endswith("png")}
    first = next(iter(read_propagation(out / PROPAGATION).records.values()))
    run(clips, out)
    own = {file for frame in first.frames for file in (frame.image, frame.label)}
    assert all((out / name).stat().st_mtime_ns == before[name] for name in own)
    assert files(out) == files(made)


def test_what_is_removed_or_changed_is_made_again(clips: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(made, out)
    gone = next((out / "autolabelled").rglob("*_prob.png"))
    gone.unlink()
    run(clips, out)
    assert files(out) == files(made)


def test_other_settings_and_other_folders_are_refused(
    clips: Path, made: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"other steps, mode; choose another --out"):
        run(clips, made, Rules(1, "labels"))
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        run(clips, tmp_path)
    run(clips, tmp_path, overwrite=True)
    run(clips, tmp_path, Rules(1), overwrite=True)
    assert (tmp_path / "letter.txt").exists()
    assert len(names(tmp_path / "leftImg8bit")) == 7
    (tmp_path / PROPAGATION).write_text("{}\n")
    with pytest.raises(UserError, match="not readable"):
        run(clips, tmp_path)


def test_what_is_missing_is_said_and_the_rest_done(clips: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "streets", tmp_path / "set"
    shutil.copytree(clips, root)
    frames = sorted((root / "leftImg8bit_sequence" / "train").rglob("*_leftImg8bit.png"))
    first, second = frames[:5], frames[5:]
    first[4].unlink()  # a neighbour
    for path in second:  # a clip of one frame
        if not path.name.endswith("000002_leftImg8bit.png"):
            path.unlink()
    label = sorted((root / "gtFine" / "train").rglob("*labelIds.png"))[0]
    orphan = label.with_name(label.name.replace("_000002_", "_000077_"))
    shutil.copy(label, orphan)  # a label without its frame
    summary = run(root, out)
    assert (summary.labelled, summary.made) == (2, 3)
    assert len(summary.problems) == 2
    assert f"since {first[4].name} is not there" in summary.problems[0]
    assert "alone in its clip" in summary.problems[1]
    assert list(summary.skipped.values()) == [
        f"'{orphan}' has no frame: '{str(first[2]).replace('_000002_', '_000077_')}' is not there."
    ]
    assert summary.problems[0] in (out / "index.html").read_text().replace("&#x27;", "'")
    # Once it is there, the same command takes it up.
    shutil.copy(clips / first[4].relative_to(root), first[4])
    assert run(root, out).made == 4


def test_sizes_that_differ_are_said(clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "streets"
    shutil.copytree(clips, root)
    frames = sorted((root / "leftImg8bit_sequence" / "train").rglob("*_leftImg8bit.png"))
    cv2.imwrite(str(frames[3]), np.zeros((20, 30, 3), np.uint8))
    label = sorted((root / "gtFine" / "train").rglob("*labelIds.png"))[1]
    cv2.imwrite(str(label), np.zeros((20, 30), np.uint8))
    summary = run(root, tmp_path / "set")
    assert (summary.labelled, summary.made) == (1, 2)
    assert "have one size" in summary.problems[0]
    assert "give both the same size" in next(iter(summary.skipped.values()))


def test_a_folder_of_frames_becomes_a_described_data_set(clips: Path, tmp_path: Path) -> None:
    frames, labels, out = tmp_path / "frames", tmp_path / "labels", tmp_path / "set"
    for path in (clips / "leftImg8bit_sequence" / "train").rglob("*.png"):
        name = path.name.removesuffix("_leftImg8bit.png")
        place = frames / path.parent.name / f"{name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for path in (clips / "gtFine" / "train").rglob("*labelIds.png"):
        name = path.name.removesuffix("_gtFine_labelIds.png")
        place = labels / path.parent.name / f"{name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    source = FrameFolder(frames, labels, CITYSCAPES)
    summary = propagate(source, out, DisFlow(), RULES, workers=2)
    assert (summary.labelled, summary.alone, summary.made) == (1, 1, 4)
    description = out / "propagated.json"
    report = CheckReport(str(description))
    check_data(report, None, workers=0)
    assert not report.would_go_wrong
    data = open_dataset(description, None, "train")
    assert len(data) == 5
    assert len(open_dataset(description, None, "val")) == 1
    assert data.label_space.names == CITYSCAPES.names
    cityscapes = propagate(
        CityscapesSequence(clips, "train"), tmp_path / "city", DisFlow(), RULES, samples=0
    )
    assert cityscapes.made == 8
    assert cityscapes.page is None


def test_frames_of_a_step_are_an_extra_source(made: Path, clips: Path) -> None:
    main = open_dataset("cityscapes", clips, "train")
    one, two = (open_propagated(made, main, step) for step in (1, 2))
    assert (len(one), len(two)) == (4, 4)
    assert {s.name for s in one.samples}.isdisjoint(s.name for s in two.samples)
    assert one.read(0).labels is not None
    with pytest.raises(UsageError, match=r"no frames 3 from a labelled one.*farthest are 2"):
        open_propagated(made, main, 3)
    with pytest.raises(UserError, match="holds no propagated frames"):
        open_propagated(clips, main, 1)
    next((made / "leftImg8bit").rglob("*_000003_*")).rename(made / "away.png")
    try:
        with pytest.raises(UserError, match="is not there"):
            open_propagated(made, main, 1)
    finally:
        gone = next((made / "gtFine").rglob("*_000003_*labelIds.png"))
        name = gone.name.replace("gtFine_labelIds", "leftImg8bit")
        (made / "away.png").rename(made / "leftImg8bit" / "train" / gone.parent.name / name)
