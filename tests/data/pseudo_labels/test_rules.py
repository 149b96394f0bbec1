from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hierseg.data.catalog import open_dataset, open_extra
from hierseg.data.options import DataOptions, ExtraRules
from hierseg.data.reading import DataError
from hierseg.errors import UsageError, UserError
from hierseg.labels import CITYSCAPES

Writer = Callable[..., Path]

ROAD, SKY, TRUCK, BUS = (CITYSCAPES.raw_ids[i] for i in (0, 10, 14, 15))
STEM = "train_extra/ulm/ulm_000001_000019"
ALL = ExtraRules()


@pytest.fixture
def root(tmp_path: Path, write_image: Writer, write_labels: Writer) -> Path:
    """One row of seven pixels."""
    write_image(f"leftImg8bit/{STEM}_leftImg8bit.png", (1, 7))
    auto = [ROAD, ROAD, ROAD, TRUCK, ROAD, TRUCK, SKY]
    confidence = [255, 128, 127, 0, 255, 255, 0]
    coarse = [SKY, SKY, SKY, BUS, TRUCK, 0, ROAD]
    for name, values in (
        (f"autolabelled/{STEM}_leftImg8bit.png", auto),
        (f"autolabelled/{STEM}_leftImg8bit_prob.png", confidence),
        (f"gtCoarse/{STEM}_gtCoarse_labelIds.png", coarse),
    ):
        write_labels(name, np.array([values], np.uint8))
    return tmp_path


def read(root: Path, labels: str, rules: ExtraRules = ALL) -> list[int]:
    dataset = open_extra("cityscapes", root, labels, DataOptions(rules=rules))  # type: ignore[arg-type]
    found = dataset.read(0).labels
    assert found is not None
    return found[0].tolist()


def test_the_rules_of_auto_labels(root: Path) -> None:
    # Where either says truck or bus it is one: the coarse label's bus where the other says truck,
    # the auto-label's truck where the coarse one says nothing. Trusted from 127.5 on, all alike.
    assert read(root, "auto") == [0, 0, 255, 255, 14, 14, 255]
    assert read(root, "auto", ExtraRules(threshold=0)) == [0, 0, 0, 15, 14, 14, 10]


def test_by_the_coarse_rule_the_coarse_label_counts(root: Path) -> None:
    # Where either says truck or bus, ignored or not, whatever the confidence.
    rules = ExtraRules(coarse_rule="coarse")
    assert read(root, "auto", rules) == [0, 0, 255, 15, 14, 255, 255]
    assert rules.describe() != ALL.describe()  # an index made under one is not used under the other


def test_the_threshold_is_a_share_of_255(root: Path) -> None:
    assert read(root, "auto", ExtraRules(threshold=0.49, from_coarse=()))[:3] == [0, 0, 0]
    assert read(root, "auto", ExtraRules(threshold=1.0, from_coarse=()))[:3] == [0, 255, 255]
    assert read(root, "auto", ExtraRules(threshold=0.0, from_coarse=()))[3] == 14


def test_without_classes_from_coarse_no_coarse_labels_are_needed(root: Path) -> None:
    next(root.glob("gtCoarse/**/*.png")).unlink()
    assert read(root, "auto", ExtraRules(from_coarse=())) == [0, 0, 255, 255, 0, 14, 255]
    with pytest.raises(UserError, match="gtCoarse"):
        read(root, "auto")


def test_coarse_labels_are_taken_as_they_are(root: Path) -> None:
    assert read(root, "coarse") == [10, 10, 10, 15, 14, 255, 0]


def test_the_outer_area_is_masked_to_the_pixel(
    tmp_path: Path, write_image: Writer, write_labels: Writer
) -> None:
    write_image(f"leftImg8bit/{STEM}_leftImg8bit.png", (1024, 2048))
    write_labels(f"gtCoarse/{STEM}_gtCoarse_labelIds.png", ROAD, (1024, 2048))
    options = DataOptions(rules=ExtraRules(mask_outer=True))
    labels = open_extra("cityscapes", tmp_path, "coarse", options).read_labels(0)
    assert labels is not None
    rows, columns = np.nonzero(labels == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (15, 839, 14, 2029)
    assert (labels == 0).sum() == (839 - 15 + 1) * (2029 - 14 + 1)


def test_what_an_extra_source_says_of_itself(root: Path) -> None:
    dataset = open_extra("cityscapes", root, "auto")
    assert dataset.boosted_classes == frozenset({3, 4, 6, 7, 9, *range(11, 19)})
    assert dataset.note == "auto labels"
    kinds = ["leftImg8bit", "autolabelled", "autolabelled", "gtCoarse"]
    assert [p.relative_to(root).parts[0] for p in dataset.list_files(0)] == kinds
    other = open_extra("cityscapes", root, "auto", DataOptions(rules=ExtraRules(threshold=0.4)))
    assert other.label_rule != dataset.label_rule
    # As a main source, by split and labels, all its classes count.
    main = open_dataset("cityscapes", root, "train_extra", options=DataOptions(labels="auto"))
    assert main.boosted_classes is None


def test_rules_that_cannot_be_name_their_flag(root: Path) -> None:
    for rules, flag in (
        (ExtraRules(threshold=1.5), "--data.auto-threshold"),
        (ExtraRules(from_coarse=(19,)), "--data.from-coarse"),
        (ExtraRules(boosted_classes=(-1,)), "--data.boost-classes"),
    ):
        with pytest.raises(UsageError, match=flag):
            read(root, "auto", rules)
    with pytest.raises(UsageError, match="camvid has no coarse labels"):
        open_dataset("camvid", root, "train", options=DataOptions(labels="coarse"))


def test_a_confidence_of_another_size_is_named(root: Path, write_labels: Writer) -> None:
    write_labels(f"autolabelled/{STEM}_leftImg8bit_prob.png", 255, (2, 7))
    with pytest.raises(DataError, match=r"confidence.*ulm_000001_000019_leftImg8bit\.png'"):
        read(root, "auto")
