"""Cross-validation of Cityscapes by city, and KITTI's published splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hierseg.data.catalog import open_dataset
from hierseg.data.datasets.splits import choose_window, shuffle_names
from hierseg.data.options import DataOptions
from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES

Writer = Callable[..., Path]

VAL = {"frankfurt", "lindau", "munster"}
TRAIN = {
    "aachen", "bochum", "bremen", "cologne", "darmstadt", "dusseldorf", "erfurt", "hamburg",
    "hanover", "jena", "krefeld", "monchengladbach", "strasbourg", "stuttgart", "tubingen", "ulm",
    "weimar", "zurich",
}  # fmt: skip


def test_the_windows_of_the_real_cities() -> None:
    assert choose_window(VAL, TRAIN, 0) == VAL
    # Seven and fourteen of the twenty-one further on.
    assert choose_window(VAL, TRAIN, 1) == {"darmstadt", "dusseldorf", "erfurt"}
    assert choose_window(VAL, TRAIN, 2) == {"monchengladbach", "strasbourg", "stuttgart"}


@pytest.fixture
def cities(tmp_path: Path, write_image: Writer, write_labels: Writer) -> Path:
    """Val city v, train cities a to e, one frame each."""
    for city in "vabcde":
        place = f"{'val' if city == 'v' else 'train'}/{city}/{city}_0_0"
        write_image(f"leftImg8bit/{place}_leftImg8bit.png")
        write_labels(f"gtFine/{place}_gtFine_labelIds.png", CITYSCAPES.raw_ids[0])
    return tmp_path


@pytest.mark.parametrize(
    ("cv", "val", "train"),
    [(0, "v", "abcde"), (1, "b", "vacde"), (2, "d", "vabce"), (3, "vabcde", "vabcde")],
)
def test_a_window_of_cities_is_held_out(cities: Path, cv: int, val: str, train: str) -> None:
    for split, expected in (("val", val), ("train", train)):
        dataset = open_dataset("cityscapes", cities, split, options=DataOptions(cv=cv))
        assert [sample.name[0] for sample in dataset.samples] == list(expected)
        assert all(dataset.read(i).labels is not None for i in range(len(dataset)))
        assert bool(dataset.note) is (cv != 0)
        assert dataset.note.startswith(f"cv {cv}" if cv else "")


def test_other_splits_than_train_and_val_are_in_all_the_same(
    cities: Path, write_image: Writer
) -> None:
    write_image("leftImg8bit/test/t/t_0_0_leftImg8bit.png")
    dataset = open_dataset("cityscapes", cities, "test", options=DataOptions(cv=2))
    assert (len(dataset), dataset.note) == (1, "")


def test_a_split_that_there_is_not_names_the_flag(cities: Path) -> None:
    with pytest.raises(UsageError, match=r"has no cross-validation split 4; give --cv .*0 to 3"):
        open_dataset("cityscapes", cities, "val", options=DataOptions(cv=4))
    with pytest.raises(UsageError, match=r"camvid has no cross-validation split 1; give --cv"):
        open_dataset("camvid", cities, "val", options=DataOptions(cv=1))


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kitti")
    for folder in ("image_2", "semantic"):
        (root / "training" / folder).mkdir(parents=True)
        for number in range(200):
            (root / "training" / folder / f"{number:06}_10.png").touch()
    (root / "testing" / "image_2").mkdir(parents=True)
    (root / "testing" / "image_2" / "000000_10.png").touch()
    return root


def _names(root: Path, split: str, cv: int) -> set[str]:
    dataset = open_dataset("kitti", root, split, options=DataOptions(cv=cv))
    assert dataset.label_space is CITYSCAPES
    return {sample.name for sample in dataset.samples}


# VPLR's, by place in the order of names.
KITTI_VAL = (
    "1 5 11 29 35 49 57 68 72 82 93 115 119 130 145 154 156 167 169 189 198",
    "0 12 24 31 42 50 63 71 84 96 101 112 121 133 141 155 164 171 187 191 197",
    "3 6 13 21 41 54 61 73 88 91 110 121 126 131 142 149 150 163 173 183 199",
)


def test_kitti_holds_out_the_published_images(kitti: Path) -> None:
    everything = _names(kitti, "val", 3)
    assert len(everything) == 200
    for cv, numbers in enumerate(KITTI_VAL):
        held_out = {f"{int(number):06}_10" for number in numbers.split()}
        assert len(held_out) == 21
        assert _names(kitti, "val", cv) == held_out
        assert _names(kitti, "train", cv) == everything - held_out
    assert _names(kitti, "train", 3) == everything
    assert open_dataset("kitti", kitti, "val").note == "cv 0 of the three published"


def test_kittis_test_images_have_no_labels(kitti: Path) -> None:
    dataset = open_dataset("kitti", kitti, "test")
    assert (len(dataset), dataset.has_labels, dataset.note) == (1, False, "")


def test_the_order_of_names_is_theirs_and_the_seeds() -> None:
    names = [f"n{i}" for i in range(50)]
    assert shuffle_names(names, 0) == shuffle_names(names[::-1], 0)
    assert shuffle_names(names, 0) != shuffle_names(names, 1)
    assert sorted(shuffle_names(names, 0)) == sorted(names)


def test_names_that_are_no_text_have_an_order_too() -> None:
    names = ["caf\udce9", "a", "b"]  # a byte that is no UTF-8, as Python reads it from a disk
    assert sorted(shuffle_names(names, 0)) == sorted(names)
