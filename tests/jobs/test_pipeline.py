from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hierseg.errors import UserError
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.pipeline import Pipeline, Reading, group_by_size, run_ahead
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.models.registry import create_model

Pixels = npt.NDArray[np.uint8]


def _reading(item: str, height: int = 40, width: int = 50) -> Reading[str]:
    return Reading(item, np.full((height, width, 3), 9, np.uint8))


def _items(groups: Iterator[list[Reading[str]]]) -> list[str]:
    return ["".join(reading.item for reading in group) for group in groups]


def test_images_of_one_size_are_grouped() -> None:
    bad = Reading("x", UserError("bad"))
    readings = [_reading("a"), _reading("b", 44), bad, _reading("c"), _reading("d", 44)]
    assert _items(group_by_size([*readings, _reading("e")], 2)) == ["x", "ac", "bd", "e"]
    assert _items(group_by_size(readings, 1)) == ["a", "b", "x", "c", "d"]


def test_what_waits_for_others_of_its_size_does_not_wait_for_ever() -> None:
    readings = [_reading(chr(97 + n), 40 + n) for n in range(10)]
    taken = []

    def give() -> Iterator[Reading[str]]:
        for reading in readings:
            taken.append(reading.item)
            yield reading

    groups = group_by_size(give(), 2)
    assert next(groups)[0].item == "a"
    assert len(taken) == 8  # four batches' worth
    assert _items(groups) == list("bcdefghij")


def test_what_needs_no_network_comes_in_its_turn() -> None:
    readings = [_reading("a"), Reading[str]("b", None), _reading("c"), _reading("d")]
    assert _items(group_by_size(readings, 2)) == ["a", "b", "cd"]


def test_a_batch_is_predicted_as_its_images_one_by_one() -> None:
    torch.manual_seed(3)
    network = create_model("lite0-ocr-hier", CITYSCAPES.num_classes)
    predictor = Predictor(network, (0.5, 1.0), True, label_space=CITYSCAPES, keep_scales=True)
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (45, 70, 3)).astype(np.uint8) for _ in range(3)]
    together = predictor.predict_batch(images)
    for image, found in zip(images, together, strict=True):
        alone = predictor(image)
        assert found.image is image
        assert np.abs(found.confidence - alone.confidence).max() < 1e-4
        assert (found.labels != alone.labels).mean() < 1e-3
        assert found.attention is not None
        assert alone.attention is not None
        assert list(found.attention) == [0.5]
        assert np.abs(found.attention[0.5] - alone.attention[0.5]).max() < 1e-4
        assert found.per_scale is not None
        assert found.per_scale[1.0].shape == (45, 70)


class _Seen:
    """Takes what a pipeline gives."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.skipped: dict[str, str] = {}

    def write(self, item: str, prediction: Prediction | None, seconds: float) -> str:
        time.sleep(0.01 if item == "a" else 0)  # the first is written last
        return item

    def skip(self, item: str, reason: str) -> None:
        self.skipped[item] = reason


def _run(predictor: Any, readings: Any, batch: int) -> _Seen:
    seen = _Seen()
    Pipeline(predictor, batch, seen.write, seen.done.append, seen.skip).run(readings)
    return seen


def test_images_go_to_the_network_in_batches_and_finish_in_order(
    network: Any, space: LabelSpace
) -> None:
    predictor = Predictor(network, label_space=space)
    seen = _run(predictor, [_reading(name) for name in "abcde"], 2)
    assert seen.done == list("abcde")
    assert [shape[0] for shape, _, _ in network.calls] == [2, 2, 1]


def test_what_is_too_much_together_is_done_one_by_one(
    network: Any, space: LabelSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = network.forward

    def small(image: torch.Tensor, **named: Any) -> Any:
        if len(image) > 1:
            raise RuntimeError("can't allocate memory")
        return forward(image, **named)

    monkeypatch.setattr(network, "forward", small)
    seen = _run(Predictor(network, label_space=space), [_reading(name) for name in "abc"], 3)
    assert seen.done == list("abc")
    assert seen.skipped == {}
    tiny = [_reading("a"), Reading("b", UserError("no image")), _reading("c")]
    assert _run(Predictor(network, label_space=space), tiny, 2).skipped == {"b": "no image"}


def test_a_thread_runs_ahead_but_not_far_and_ends_with_its_reader() -> None:
    made = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    ahead = run_ahead(numbers(), 3)
    assert [next(ahead), next(ahead)] == [0, 1]
    time.sleep(0.05)
    assert 3 <= len(made) <= 6
    ahead.close()
    assert not any(thread.name == "read" for thread in threading.enumerate())
    assert list(run_ahead(iter(range(50)), 2)) == list(range(50))


def test_what_fails_in_the_thread_is_raised_to_its_reader() -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise UserError("gone")

    ahead = run_ahead(fail(), 3)
    assert next(ahead) == 1
    with pytest.raises(UserError, match="gone"):
        next(ahead)


def test_batches_reach_the_files(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path
) -> None:
    from PIL import Image

    from hierseg.jobs.images import RunSettings, run_folder

    (tmp_path / "in").mkdir()
    for number in range(3):
        Image.fromarray(np.roll(image, number, 0)).save(tmp_path / "in" / f"{number}.png")
    images = sorted((tmp_path / "in").iterdir())
    predictor = Predictor(network, label_space=space)
    for batch in (1, 2):
        settings = RunSettings(save=("labels",), batch=batch)
        run_folder(predictor, images, tmp_path / f"out{batch}", settings)
    for number in range(3):
        one, two = (tmp_path / f"out{batch}" / f"{number}_labels.png" for batch in (1, 2))
        assert one.read_bytes() == two.read_bytes()


def test_as_many_threads_write_as_workers_are_asked_for(network: Any, space: LabelSpace) -> None:
    together = threading.Barrier(3, timeout=20)

    class Meeting(_Seen):
        def write(self, item: str, prediction: Prediction | None, seconds: float) -> str:
            together.wait()  # raises unless three threads come here
            return item

    seen = Meeting()
    predictor = Predictor(network, label_space=space)
    pipeline = Pipeline(
        predictor, 1, seen.write, seen.done.append, seen.skip, workers=together.parties
    )
    pipeline.run([_reading(name) for name in "abcdef"])
    assert seen.done == list("abcdef")
