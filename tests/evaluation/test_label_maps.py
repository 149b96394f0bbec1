from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.label_maps import LabelMaps, score_label_maps
from hierseg.evaluation.saving import PredictionFiles
from hierseg.labels import LabelSpace

SPACE = LabelSpace(
    name="suits",
    names=("spades", "hearts", "clubs"),
    colors=((0, 0, 0), (255, 0, 0), (40, 40, 40)),
    raw_ids=(7, 300, 9),
    ignored_raw_ids=(0,),
)
TRUTH = np.array([[0, 0, 1, 1], [2, 2, 2, 255]], np.uint8)
Maps = npt.NDArray[np.uint8]


class Cards(SegmentationDataset):
    """Two images of one truth."""

    def __init__(self, names: tuple[str, ...] = ("a/one", "two")) -> None:
        samples = [Sample(name, Path(f"/in/{name}.jpg")) for name in names]
        super().__init__("cards", "val", SPACE, samples)

    def read(self, index: int) -> Record:
        return Record(np.zeros((2, 4, 3), np.uint8), TRUTH, self.samples[index].name)


def _write(path: Path, values: npt.ArrayLike, kind: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.asarray(values, kind))


def test_maps_are_scored_by_hand_counted_numbers(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "one.png", [[0, 1, 1, 1], [2, 2, 255, 2]])
    _write(tmp_path / "two.png", TRUTH)
    result = score_label_maps(LabelMaps(tmp_path, Cards()))
    # One pixel of spades is taken for hearts, one of clubs is left open; the ignored one is free.
    assert result.confusion == ((3, 1, 0), (0, 4, 0), (0, 0, 5))
    assert result.unlabelled == (0, 0, 1)
    assert result.scores.iou == pytest.approx({"spades": 3 / 4, "hearts": 4 / 5, "clubs": 5 / 6})
    assert result.scores.pixel_accuracy == pytest.approx(12 / 14)
    assert result.scores.recall["clubs"] == pytest.approx(5 / 6)
    assert result.scores.precision["clubs"] == 1.0
    assert result.to_json()["mode"] == f"label maps of {tmp_path}"


def test_raw_ids_are_taken_back(tmp_path: Path) -> None:
    raw = [[7, 7, 300, 300], [9, 9, 9, 0]]
    for name in ("a_one_ids.png", "two_ids.png"):
        _write(tmp_path / name, raw, np.uint16)
        _write(tmp_path / name.replace("_ids", "_color"), TRUTH)
    assert score_label_maps(LabelMaps(tmp_path, Cards(), "raw")).scores.miou == 1.0
    with pytest.raises(UserError, match=r"2 of 2 images have no label map.*'a/one'"):
        score_label_maps(LabelMaps(tmp_path, Cards()))


def test_what_is_saved_is_found_again(tmp_path: Path) -> None:
    dataset = Cards()
    files = PredictionFiles(tmp_path, SPACE)
    for index in range(2):
        files.look(index, dataset.read(index), np.where(TRUTH == 255, 1, TRUTH).astype(np.uint8))
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert names == {
        "legend.json", "a/one_labels.png", "a/one_ids.png", "two_labels.png", "two_ids.png",
    }  # fmt: skip
    for ids in ("train", "raw"):
        assert score_label_maps(LabelMaps(tmp_path, dataset, ids)).scores.miou == 1.0  # type: ignore[arg-type]


def test_names_that_begin_with_the_images_are_taken(tmp_path: Path) -> None:
    dataset = Cards(("1", "10"))
    _write(tmp_path / "1_by_me.png", TRUTH)
    _write(tmp_path / "10_by_me.png", np.ones((2, 4)))
    assert score_label_maps(LabelMaps(tmp_path, dataset), limit=1).scores.miou == 1.0
    _write(tmp_path / "1_by_you.png", TRUTH)
    with pytest.raises(UserError, match="'1' has several label maps"):
        score_label_maps(LabelMaps(tmp_path, dataset))
    _write(tmp_path / "1.png", TRUTH)  # its very name goes before
    assert score_label_maps(LabelMaps(tmp_path, dataset), limit=1).scores.miou == 1.0


@pytest.mark.parametrize("ending", ["_prob", "_attention_0.5", "_labels_0.5", "_1", "_1_by_me"])
def test_what_is_no_map_of_an_image_is_not_taken(tmp_path: Path, ending: str) -> None:
    dataset = Cards(("a", "a_1"))
    _write(tmp_path / "a_1.png", TRUTH)
    _write(tmp_path / f"a{ending}.png", TRUTH)
    assert LabelMaps(tmp_path, dataset).find(dataset.samples[0]) is None
    _write(tmp_path / "a_mine.png", TRUTH)
    assert LabelMaps(tmp_path, dataset).find(dataset.samples[0]) == tmp_path / "a_mine.png"


@pytest.mark.parametrize(
    ("values", "ids", "message"),
    [
        (np.zeros((2, 5)), "train", "two.png' is 2x5 but the labels of 'two' are 2x4"),
        (np.full((2, 4), 9), "train", "holds id 9, which is not a train id of suits .*--ids raw"),
        (np.full((2, 4), 8), "raw", "label ids 8 are not in .* leave out --ids raw"),
        (np.zeros((2, 4, 3)), "train", "has 3 channels"),
    ],
)
def test_maps_that_cannot_be_scored_are_said_so(
    tmp_path: Path, values: Maps, ids: str, message: str
) -> None:
    _write(tmp_path / "two.png", values)
    with pytest.raises(UserError, match=message):
        score_label_maps(LabelMaps(tmp_path, Cards(("two",)), ids))  # type: ignore[arg-type]


def test_one_map_is_not_taken_for_two_images(tmp_path: Path) -> None:
    dataset = Cards(("left/1", "right/1"))
    _write(tmp_path / "1_labels.png", TRUTH)
    with pytest.raises(UserError, match=r"1_labels.png' .* both 'left/1' and 'right/1'"):
        score_label_maps(LabelMaps(tmp_path, dataset))
    assert score_label_maps(LabelMaps(tmp_path, dataset), limit=1).images == 1


def test_train_ids_are_no_raw_ids_though_the_data_set_has_them(tmp_path: Path) -> None:
    dataset = Cards(("two",))
    dataset.label_space = dataclasses.replace(SPACE, raw_ids=(5, 6, 7), ignored_raw_ids=(0, 1, 2))
    _write(tmp_path / "two.png", [[0, 0, 1, 1], [2, 2, 2, 0]])
    with pytest.raises(UserError, match="hold train ids and not the ids of suits; leave out --ids"):
        score_label_maps(LabelMaps(tmp_path, dataset, "raw"))
    assert score_label_maps(LabelMaps(tmp_path, dataset)).scores.miou == 1.0
    for void in (0, 2):  # what is counted nowhere may be there beside true raw ids
        _write(tmp_path / "two.png", [[5, 5, 6, 6], [7, 7, 7, void]])
        assert score_label_maps(LabelMaps(tmp_path, dataset, "raw")).scores.miou == 1.0


def test_folders_without_maps_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="--predictions"):
            LabelMaps(folder, Cards())


def test_linked_folders_of_maps_are_followed(tmp_path: Path) -> None:
    maps, other = tmp_path / "maps", tmp_path / "other"
    _write(other / "a" / "one.png", TRUTH)
    _write(other / "two.png", TRUTH)
    maps.mkdir()
    for name in ("run", "latest"):  # the same map by two names is no second one
        (maps / name).symlink_to(other)
    (other / "back").symlink_to(maps)
    assert score_label_maps(LabelMaps(maps, Cards())).scores.miou == 1.0
    (maps / "unmounted").symlink_to("/nowhere/at/all")
    with pytest.raises(UserError, match=r"unmounted' cannot be read.*would be left out"):
        LabelMaps(maps, Cards())
