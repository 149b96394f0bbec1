from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.assembly.parts import build_datasets
from hierseg.config import DataConfig, Experiment
from hierseg.data.checking.check import check_data
from hierseg.data.checking.report import CheckReport
from hierseg.data.checking.table import format_report
from hierseg.errors import UsageError, UserError
from hierseg.training.indexing import index_sources
from support.damage import DAMAGES, STOPS_OPENING, write_sound


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_sound(tmp_path)


def check(data: Path, **options: object) -> CheckReport:
    report = CheckReport(str(data))
    check_data(report, None, **options)  # type: ignore[arg-type]
    return report


def test_a_sound_data_set_can_be_trained_on(data: Path) -> None:
    progress: list[tuple[int, int]] = []
    report = check(data, on_progress=lambda *now: progress.append(now))
    assert not report.would_go_wrong
    assert report.is_complete
    assert progress == [(i, 6) for i in range(1, 7)]
    train, val = report.splits
    assert (train.split, train.images, train.labelled, dict(train.sizes)) == (
        "train", 4, 4, {"64x96": 4},
    )  # fmt: skip
    assert (val.images, val.files.tolist()) == (2, [2, 2, 2])
    assert train.ignored == 4 * 64 * 2
    assert train.pixels.sum() + train.ignored == 4 * 64 * 96
    expected = np.zeros(3, int)
    for path in (data.parent / "labels" / "train").iterdir():
        ids = np.array(Image.open(path))
        expected += [int((ids == raw).sum()) for raw in (7, 11, 23)]
    assert train.pixels.tolist() == expected.tolist()
    assert not report.list_warnings()
    assert not train.list_warnings()


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_named_and_stops_training_before_its_first_step(
    data: Path, damage: str
) -> None:
    words = DAMAGES[damage](data.parent)
    report = check(data)
    assert report.would_go_wrong
    sentences = [*report.problems, *(p for s in report.splits for p in s.list_problems())]
    assert len(sentences) == 1
    assert all(word in sentences[0] for word in words)
    assert sentences[0] in format_report(report)
    experiment = Experiment(
        data=DataConfig(name=str(data), batch=1, workers=0, class_uniform_tile=32)
    )

    def begin() -> None:
        datasets = build_datasets(experiment)
        assert damage not in STOPS_OPENING
        index_sources(experiment.data, datasets)

    with pytest.raises(UserError) as caught:
        begin()
    assert all(word in str(caught.value) for word in words)


def test_ids_of_no_class_are_counted(data: Path) -> None:
    for number, pixels in ((0, 5), (2, 3)):
        path = data.parent / "labels" / "train" / f"street_{number}.png"
        ids = np.array(Image.open(path))
        ids[0, 10 : 10 + pixels] = 99
        ids[1, 10] = 77 if number == 0 else ids[1, 10]
        Image.fromarray(ids).save(path)
    (train, _) = check(data).splits
    assert train.to_json()["unknown_ids"] == [
        {"id": 77, "pixels": 1, "files": [str(data.parent / "labels/train/street_0.png")]},
        {
            "id": 99,
            "pixels": 8,
            "files": [str(data.parent / f"labels/train/street_{i}.png") for i in (0, 2)],
        },
    ]
    assert train.labelled == 4  # the other pixels count


def test_what_can_be_trained_on_is_warned_of(data: Path) -> None:
    root = data.parent
    shutil.copy(root / "images/train/street_2.png", root / "images/val/street_4.png")
    shutil.copy(root / "images/train/street_2.png", root / "images/train/street_3.png")
    shutil.copy(root / "labels/train/street_2.png", root / "labels/train/stray.png")
    for path in (root / "labels").glob("*/*.png"):
        ids = np.array(Image.open(path))
        ids[ids == 23] = 0
        Image.fromarray(ids).save(path)
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(root / "images/val/street_5.png") as image:
        image.save(root / "images/val/street_5.png", exif=exif)
    report = check(data)
    assert not report.would_go_wrong
    text = format_report(report)
    assert "1 image is in two splits, such as train/street_2 = val/street_4" in text
    assert "1 label map without an image, the first" in text
    assert "stray.png" in text
    assert "train: classes without pixels: sky." in text
    assert "1 image is there more than once, such as street_2 = street_3" in text
    assert "val: EXIF turns 1 image, the first street_5" in text


def test_label_maps_of_ignored_pixels_alone_go_wrong(data: Path) -> None:
    for path in (data.parent / "labels" / "train").iterdir():
        Image.fromarray(np.zeros((64, 96), np.uint8)).save(path)
    report = check(data)
    assert report.splits[0].list_problems() == ["no label map has a pixel of any class."]


def test_only_the_splits_that_are_asked_for_are_read(data: Path) -> None:
    report = check(data, splits=["val"])
    assert [split.split for split in report.splits] == ["val"]
    with pytest.raises(UsageError, match="no split 'vall'"):
        check(data, splits=["vall"])


def test_the_number_of_workers_changes_nothing(data: Path) -> None:
    for damage in ("an id out of range", "a truncated PNG"):
        DAMAGES[damage](data.parent)
    assert check(data, workers=0).to_json() == check(data, workers=2).to_json()


def test_an_interrupted_check_keeps_what_it_found(data: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    report = CheckReport(str(data))
    with pytest.raises(KeyboardInterrupt):
        check_data(report, None, on_progress=stop)
    assert report.splits[0].images == 3
    assert "interrupted" in format_report(report)
    assert not report.to_json()["is_complete"]


def test_the_report_is_json(data: Path) -> None:
    DAMAGES["a label of another size"](data.parent)
    content = json.loads(json.dumps(check(data).to_json()))
    assert content["would_go_wrong"]
    assert content["splits"][0]["classes"][0]["name"] == "road"


def test_long_lists_are_cut_and_say_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hierseg.data.checking.table.LISTED", 1)
    for path in (data.parent / "labels" / "train").iterdir():
        path.unlink()
    text = format_report(check(data))
    assert text.count("has no label map") == 1
    assert "and 3 more (--json FILE has all)" in text
    assert "no label map could be read" not in text  # those of val can


def test_camvid(camvid_dir: Path) -> None:
    report = CheckReport("camvid")
    check_data(report, camvid_dir, ["val"])
    (val,) = report.splits
    assert (val.images, val.labelled, dict(val.sizes)) == (101, 101, {"360x480": 101})
    assert not report.would_go_wrong


def test_splits_that_may_be_lacking_are_no_problem(
    tmp_path: Path, write_image: Callable[..., Path], write_labels: Callable[..., Path]
) -> None:
    for split in ("train", "val"):
        write_image(f"{split}/{split}.png", (32, 40))
        write_labels(f"{split}annot/{split}.png", size=(32, 40))
    report = CheckReport("camvid")
    check_data(report, tmp_path)
    assert [split.split for split in report.splits] == ["train", "val"]
    assert not report.would_go_wrong
    shutil.rmtree(tmp_path / "val")
    report = CheckReport("camvid")
    check_data(report, tmp_path)
    assert report.would_go_wrong
    assert "'val' of camvid has no images" in report.problems[0]


def test_what_training_would_ask_for_is_a_problem(data: Path) -> None:
    text = data.read_text()
    data.write_text(text.replace(', labels: "labels/train/*.png"', ""))
    train, _ = (report := check(data)).splits
    assert report.would_go_wrong
    assert train.list_problems() == [
        "no image has a label map; check where the data set's label maps are."
    ]
    data.write_text(text.replace("  val:", "  night:"))
    report = check(data)
    assert report.would_go_wrong
    (problem,) = report.problems
    assert "no split val" in problem
    assert "--data.val-split" in problem
    assert not check(data, splits=("train", "night")).would_go_wrong


def test_an_image_that_no_network_takes_is_a_problem_of_validation(data: Path) -> None:
    for split, number in (("train", 1), ("val", 5)):
        for kind in ("images", "labels"):
            path = data.parent / kind / split / f"street_{number}.png"
            with Image.open(path) as picture:
                picture.crop((0, 0, 96, 20)).save(path)
    train, val = check(data).splits
    assert not train.list_problems()  # crops are filled up
    (problem,) = val.list_problems()
    assert "street_5.png' is run at 20x96, and a network takes 32 pixels" in problem
