from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.view import resize_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.table import format_evaluation
from hierseg.labels import CAMVID
from hierseg.models.registry import create_model

from .conftest import MemoryDataset, ReadingNetwork, grid


def test_the_table_has_every_class_and_what_the_mean_is_over(network: ReadingNetwork) -> None:
    truth = grid([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]])

    class Wrong(ReadingNetwork):
        def forward(self, image, scales=None, keep_scales=False):  # type: ignore[no-untyped-def]
            image = image.clone()
            image[:, 0, :8, :8] = 40  # one block of spades is taken for hearts
            return super().forward(image, scales, keep_scales)

    result = evaluate(Wrong(), MemoryDataset([truth]))  # type: ignore[arg-type]
    lines = format_evaluation(result).splitlines()
    assert lines[0] == "memory val: 1 image at scales 0.5 1"
    cells = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert cells["class"] == ["IoU", "precision", "recall"]
    assert cells["spades"] == ["93.75", "100.00", "93.75"]
    assert cells["hearts"] == ["80.00", "80.00", "100.00"]
    assert cells["clubs"] == cells["jokers"] == ["-", "-", "-"]
    assert cells["mIoU"] == ["86.88", "over", "2", "classes", "of", "4"]
    assert "pixel accuracy 95.00, mean class accuracy 96.88" in lines[-1]
    assert len({len(line) for line in lines[2:7]}) == 1  # columns stand under each other
    flipped = dataclasses.replace(result, flip=True)
    assert format_evaluation(flipped).startswith("memory val: 1 image at scales 0.5 1 with flip\n")


def test_names_move_no_cursor(network: ReadingNetwork) -> None:
    data = MemoryDataset(
        [grid([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]])]
    )
    names = ("\x1b[2Jspades", "hearts\rmIoU 99", "clubs", "jokers")
    data.label_space = dataclasses.replace(data.label_space, names=names)
    shown = format_evaluation(evaluate(network, data))  # type: ignore[arg-type]
    assert not {"\x1b", "\r"} & set(shown)
    assert "\\x1b[2Jspades" in shown
    assert "hearts\\x0dmIoU 99" in shown


def test_a_split_that_is_not_the_standard_one_is_said_so(tmp_path: Path) -> None:
    """In table, JSON and record; labels count at their own size, whatever images are run at."""
    image, label = tmp_path / "a.png", tmp_path / "l.png"
    Image.fromarray(np.zeros((40, 64, 3), np.uint8)).save(image)
    Image.fromarray(np.zeros((40, 64), np.uint8)).save(label)
    samples = [Sample("a", image, label), Sample("b", image, label)]
    dataset = SegmentationDataset("camvid", "val", CAMVID, samples)
    network = create_model("lite0-ocr-hier", CAMVID.num_classes)
    plain = evaluate(network, dataset)
    assert (plain.note, plain.to_json()["standard_split"]) == ("", True)
    assert "standard" not in format_evaluation(plain)
    dataset.note = "cv 1"
    result = evaluate(network, resize_dataset(dataset, long_edge=96), limit=1)
    assert result.note == "cv 1, long edge 96, the first 1 of 2 images"
    assert f"\nnot the standard split: {result.note}\n" in format_evaluation(result)
    assert result.summary()["split_note"] == result.note
    assert result.summary()["standard_split"] is False
    assert sum(map(sum, result.confusion)) == 40 * 64


def test_the_full_table_has_true_positives_and_what_is_wrong_beside_them(
    network: ReadingNetwork,
) -> None:
    truth = grid([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]])

    class Wrong(ReadingNetwork):
        def forward(self, image, scales=None, keep_scales=False):  # type: ignore[no-untyped-def]
            image = image.clone()
            image[:, 0, :8, :8] = 40  # one block of spades is taken for hearts
            return super().forward(image, scales, keep_scales)

    result = evaluate(Wrong(), MemoryDataset([truth]))  # type: ignore[arg-type]
    lines = format_evaluation(result, full=True).splitlines()
    cells = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert cells["class"] == ["IoU", "TP", "FP/TP", "FN/TP", "precision", "recall"]
    assert cells["spades"] == ["93.75", "960", "0.000", "0.067", "100.00", "93.75"]
    assert cells["hearts"] == ["80.00", "256", "0.250", "0.000", "80.00", "100.00"]
    assert cells["jokers"] == ["-", "0", "-", "-", "-", "-"]
    content = result.to_json()
    assert content["false_positives"] == {"spades": 0, "hearts": 64, "clubs": 0, "jokers": 0}
    assert content["false_negatives"] == {"spades": 64, "hearts": 0, "clubs": 0, "jokers": 0}
    left_open = dataclasses.replace(result, unlabelled=(0, 3, 0, 0))
    assert left_open.false_negatives["hearts"] == 3
    alone = dataclasses.replace(result, per_scale={1.0: result.scores, 0.5: result.scores})
    shown = format_evaluation(alone).splitlines()
    assert shown[2].split("  ")[0] == "class"
    assert "IoU at 0.5" in shown[2]
    assert shown[3].split() == ["spades", "93.75", "93.75", "93.75", "100.00", "93.75"]
    assert "mIoU of each scale alone: 86.88 at 0.5, 86.88 at 1" in shown
    at_run = format_evaluation(dataclasses.replace(result, counted_at="run"))
    assert "\ncounted at the size that images ran at" in at_run
    assert "counted at" not in format_evaluation(result)
