from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.scoring import score
from hierseg.evaluation.worst import WorstImages
from support.pages import read_cards

from .conftest import SPACE

Maps = npt.NDArray[np.uint8]


class Grey(SegmentationDataset):
    """Five images of spades (0) above hearts (1)."""

    def __init__(self) -> None:
        samples = [Sample(f"s{number}", Path(f"/in/s{number}.png")) for number in range(5)]
        super().__init__("grey", "val", SPACE, samples)

    def read(self, index: int) -> Record:
        labels = np.zeros((40, 50), np.uint8)
        labels[20:] = 1
        image = np.full((40, 50, 3), 40 * index, np.uint8)
        return Record(image, labels, self.samples[index].name)


WRONG = {1: (8, 2), 3: (15, 2), 4: (4, 0)}  # index: rows of hearts that are given another class


def _predict(index: int, record: Record) -> Maps:
    assert record.labels is not None
    labels = record.labels.copy()
    if index in WRONG:
        rows, train = WRONG[index]
        labels[40 - rows :] = train
    return labels


@pytest.fixture
def page(tmp_path: Path) -> Path:
    dataset = Grey()
    worst = WorstImages(2, dataset, tmp_path)
    found = score(dataset, lambda batch: [_predict(*one) for one in batch], watchers=[worst])
    kept = {path.name for path in (tmp_path / "labels").iterdir()}
    assert kept == {"000001.png", "000003.png", "000004.png"}
    result = Evaluation(
        found.matrix.scores(SPACE.names), (), "grey", "val", SPACE.names, (1.0,), False, 5
    )
    return worst.write(result)


def test_the_worst_images_are_ranked_over_all_and_by_class(page: Path) -> None:
    ranks = {card.name: card.ranks for card in read_cards(page.read_text())}
    # Image 3 and 1 have clubs for hearts, a class of IoU 0; image 4 spades for hearts.
    assert ranks == {
        "s3": {"lowest IoU": 0, "hearts: most wrong pixels": 0, "clubs: most wrong pixels": 0},
        "s1": {"lowest IoU": 1, "hearts: most wrong pixels": 1, "clubs: most wrong pixels": 1},
        "s4": {"spades: most wrong pixels": 0},
    }
    assert list(ranks) == ["s3", "s1", "s4"]
    text = page.read_text()
    assert "<option" in text
    assert "jokers: most wrong" not in text
    assert "750 wrong pixels" in text  # 15 rows of 50
    assert "mIoU 0.417" in text  # (1 + 5 / 20 + 0) / 3


def test_image_truth_prediction_and_wrong_pixels_are_shown(page: Path) -> None:
    (card,) = [one for one in read_cards(page.read_text()) if one.name == "s3"]
    for kind in ("image", "truth", "overlay", "errors"):
        assert f"page/000003_{kind}.jpg" in card.addresses
    errors = cv2.imread(str(page.parent / "page" / "000003_errors.jpg"))
    assert errors is not None
    assert errors[35, 20, 2] > 180  # red, in OpenCV's order
    assert errors[35, 20, 0] < 80
    assert abs(int(errors[10, 20, 2]) - int(errors[10, 20, 0])) < 10
    labels = cv2.imread(str(page.parent / "labels" / "000003.png"), cv2.IMREAD_UNCHANGED)
    assert labels is not None
    assert (labels[25:] == 2).all()
