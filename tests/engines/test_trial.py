"""Engines that are wrong, crash, hang or are not installed are noticed and passed over."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.engines import candidates as registry
from hierseg.engines.auto_engine import AutoEngine
from hierseg.engines.cache import EngineCache
from hierseg.engines.opening import clear_trials, describe_engine, list_trials, open_engine
from hierseg.engines.torch_engine import TorchEngine
from hierseg.engines.trial import Attempt, Trial, cut_part, hold_trial
from hierseg.inference.segmenter import Segmenter
from hierseg.models import SegmentationNetwork, create_model
from hierseg.options import RunOptions
from hierseg.size import Size
from support.made_engines import make

SCALES = (0.5, 1.0)
OPTIONS = RunOptions(scales=SCALES, engine="auto")


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return create_model("lite0-ocr-hier", 5).eval()


@pytest.fixture(scope="module")
def image() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8, generator=generator)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HIERSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_wrong_is_passed_over(
    network: SegmentationNetwork, image: Tensor, own_cache: Path
) -> None:
    missing = dataclasses.replace(make("right"), modules=("no_such_module",))
    kinds = ["wrong", "sure", "nan", "raise", "right"]
    trial = hold_trial(network, image, SCALES, [*map(make, kinds), missing], {"of": "a test"})
    reasons = [one.reason for one in trial.attempts]
    assert reasons[0].startswith("only ")
    assert "labels are equal" in reasons[0]
    assert "confidences are off by" in reasons[1]
    assert reasons[2] == "it gives no numbers"
    assert reasons[3] == "RuntimeError: no kernel for this"
    assert reasons[4:] == ["", "not installed"]
    assert trial.pick == trial.attempts[4]
    assert trial.pick.equal == 1
    assert "made right, " in trial.describe()
    assert "of the labels equal" in trial.describe()
    assert "made wrong (only" in trial.describe()
    assert "made right (not installed)" in trial.describe()
    assert Trial.from_dict(trial.to_dict()) == trial


@pytest.mark.slow
def test_what_crashes_or_hangs_costs_the_trial_no_more_than_itself(
    network: SegmentationNetwork, image: Tensor, own_cache: Path
) -> None:
    kinds = ["crash", "hang", "right"]
    trial = hold_trial(network, image, SCALES, list(map(make, kinds)), {}, patience=40)
    assert trial.attempts[0].reason.startswith("it crashed with signal 6")
    assert trial.attempts[1].reason == "it took more than 40 s"
    assert trial.pick == trial.attempts[2]


def test_auto_tries_once_remembers_and_tells(
    network: SegmentationNetwork,
    image: Tensor,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "CANDIDATES", [make("wrong"), make("right")])
    monkeypatch.setattr("hierseg.engines.auto_engine.START_SECONDS", -1000)
    engine, lines = open_engine(network, OPTIONS), []
    assert isinstance(engine, AutoEngine)
    engine.expect(10, lines.append)
    expected = TorchEngine(network).run(image, OPTIONS).logits
    assert torch.equal(engine.run(image, OPTIONS).logits, expected)
    assert engine.runner is None  # the first image says whether a trial pays
    assert torch.equal(engine.run(image, OPTIONS).logits, expected)
    assert engine.runner is not None
    assert engine.runner.precision == "right"
    assert any("trying engines for images up to 256x256 at 0.5 1" in line for line in lines)
    assert "made wrong (only" in lines[-1]
    assert describe_engine(engine).startswith("up to 256x256 at 0.5 1: made right, ")

    def refuse(*arguments: object, **options: object) -> Trial:
        raise AssertionError("a trial was held again")

    monkeypatch.setattr("hierseg.engines.auto_engine.hold_trial", refuse)
    again = open_engine(network, OPTIONS)
    again.run(image, OPTIONS)
    assert isinstance(again, AutoEngine)
    assert again.runner is not None
    assert "as an earlier trial has found" in describe_engine(again)
    assert [trial.about["size"] for trial in list_trials()] == [[256, 256]]
    assert clear_trials() == 1
    assert list_trials() == []


def test_sizes_above_the_part_that_is_tried_share_a_trial(network: SegmentationNetwork) -> None:
    engine = open_engine(network, OPTIONS)
    assert isinstance(engine, AutoEngine)

    def shared(size: tuple[int, int]) -> object:
        return engine._describe_trial(size, (1.0,))["size"]

    assert shared((1536, 1536)) == shared((1536, 3072)) == shared((512, 1024)) == [512, 1024]
    assert shared((3072, 1536)) == [1024, 512]  # the part that is tried of such
    assert shared((512, 768)) == [512, 768]
    assert shared((256, 2048)) == [256, 1024]


def test_few_images_are_run_without_a_trial(
    network: SegmentationNetwork, image: Tensor, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "CANDIDATES", [make("right")])
    for count in (1, 2):
        engine, lines = open_engine(network, OPTIONS), []
        assert isinstance(engine, AutoEngine)
        engine.expect(count, lines.append)
        for _ in range(count):
            engine.run(image, OPTIONS)
        assert engine.runner is None
        assert len(lines) == 1
        assert "a trial of engines would not pay" in lines[0]
        assert describe_engine(engine)


@pytest.mark.parametrize(("flip", "runs"), [(False, 6), (True, 12)])
def test_windows_and_mirrored_images_count_as_work_to_come(
    network: SegmentationNetwork, monkeypatch: pytest.MonkeyPatch, flip: bool, runs: int
) -> None:
    options = RunOptions(
        scales=(1.0,), flip=flip, mode="slide", window=Size(32, 32), overlap=0.0, engine="auto"
    )
    engine, expected = open_engine(network, options), []
    assert isinstance(engine, AutoEngine)

    def prepare(images: Tensor, options: RunOptions) -> None:
        expected.append(engine.expected)
        engine.expected -= len(images)

    monkeypatch.setattr(engine, "prepare", prepare)
    engine.expect(1)
    Segmenter(engine, options, 1.0).segment([np.zeros((64, 96, 3), np.uint8)])
    assert len(expected) == runs
    assert expected[0] == 6
    assert engine.expected == 0


def test_a_network_that_cannot_be_handed_over_is_run_by_torch(
    image: Tensor, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = create_model("lite0-ocr-hier", 5).eval()
    network.header = (lambda: 0,)
    monkeypatch.setattr(registry, "CANDIDATES", [make("right")])
    monkeypatch.setattr("hierseg.engines.auto_engine.START_SECONDS", -1000)
    engine, lines = open_engine(network, OPTIONS), []
    assert isinstance(engine, AutoEngine)
    engine.expect(10, lines.append)
    for _ in range(2):
        found = engine.run(image, OPTIONS).logits
    assert torch.equal(found, TorchEngine(network).run(image, OPTIONS).logits)
    assert "torch float32, as no engine can be tried" in lines[-1]


def test_a_pick_that_fails_later_falls_back_to_torch(
    network: SegmentationNetwork, image: Tensor, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "CANDIDATES", [make("right")])
    monkeypatch.setattr("hierseg.engines.auto_engine.START_SECONDS", -1000)
    monkeypatch.setattr(
        "hierseg.engines.auto_engine.hold_trial",
        lambda *args, **options: Trial((Attempt("made", "gone", 1, 1.0, 0.0),), 2, (9, 9), {}, 0),
    )
    engine = open_engine(network, OPTIONS)
    assert isinstance(engine, AutoEngine)
    for _ in range(2):
        found = engine.run(image, OPTIONS).logits
    assert torch.equal(found, TorchEngine(network).run(image, OPTIONS).logits)
    assert "torch float32, as made gone fails" in describe_engine(engine)


@pytest.mark.parametrize(
    ("attempts", "picked"),
    [
        ((Attempt("a", "b", 0.96, 1.0, 0.0),), None),
        ((Attempt("a", "b", 0.5, 1.0, 0.0), Attempt("a", "c", 0.4, 1.0, 0.0)), 1),
        ((Attempt("a", "b", 0.5, 1.0, 0.0), Attempt("a", "c", 0.4, 0.9, 0.0, "no")), 0),
    ],
)
def test_the_fastest_that_agrees_is_taken_where_it_gains(
    attempts: tuple[Attempt, ...], picked: int | None
) -> None:
    from hierseg.engines.trial import LEAST_GAIN, _choose

    assert _choose(attempts, 1 / LEAST_GAIN) == picked


def test_what_needs_more_memory_than_there_is_is_passed_over() -> None:
    quick = Attempt("a", "quick", 0.2, 1.0, 0.0, held=10**9, running=10**9)
    slow = Attempt("a", "slow", 0.5, 1.0, 0.0, held=10**8, running=10**8)
    trial = Trial((quick, slow), 1.0, (100, 100), {}, 0)
    assert trial.fitting(20_000, 3.1e9) is trial  # 1 GB, and 1 GB for each 10,000 pixels
    second = trial.fitting(20_000, 2.9e9)
    assert second.pick == slow
    assert "a quick (it needs 3.0 GB, and 2.9 GB are free)" in second.describe()
    assert trial.fitting(20_000, 2e8).pick is None
    assert trial.fitting(10_000, 2.1e9) is trial


def test_an_engine_that_would_not_fit_is_not_run(
    network: SegmentationNetwork, image: Tensor, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "CANDIDATES", [make("right")])
    monkeypatch.setattr("hierseg.engines.auto_engine.START_SECONDS", -1000)
    large = Attempt("made", "right", 1, 1.0, 0.0, running=10**9)
    part = (image.shape[-2] * image.shape[-1], 1)
    monkeypatch.setattr(
        "hierseg.engines.auto_engine.hold_trial",
        lambda *args, **options: Trial((large,), 2, part, {}, 0),
    )
    monkeypatch.setattr("hierseg.engines.auto_engine.read_room", lambda *_: 5e8)
    engine = open_engine(network, OPTIONS)
    engine.run(image, OPTIONS)
    assert "made right (it needs" in describe_engine(engine)
    assert isinstance(engine, AutoEngine)
    assert engine.runner is None


def test_a_record_that_takes_what_was_passed_over_is_none() -> None:
    trial = Trial((Attempt("a", "b", 0.1, 0.5, 0.9, "wrong"),), 1.0, (2, 3), {}, 0)
    with pytest.raises(ValueError, match="passed over"):
        Trial.from_dict(trial.to_dict())


@pytest.mark.parametrize(
    ("size", "part"),
    [
        ((100, 200), (100, 200)),
        ((2000, 3000), (512, 1024)),
        ((3000, 2000), (1024, 512)),
        ((400, 3000), (400, 1024)),
    ],
)
def test_the_part_that_is_tried(size: tuple[int, int], part: tuple[int, int]) -> None:
    assert tuple(cut_part(torch.zeros(2, 3, *size)).shape) == (1, 3, *part)


def test_graphs_are_bounded_and_the_oldest_go(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr("hierseg.engines.cache.MOST_BYTES", 250)
    made = []

    def find(name: str, time: float) -> Path:
        def write(path: Path) -> None:
            made.append(name)
            path.write_bytes(bytes(100))

        path = EngineCache().find_graph(name, "plain", write)
        os.utime(path.parent / "done", (time, time))
        return path

    first, second = find("first", 1), find("second", 2)
    assert first.exists()
    assert find("first", 3) == first
    assert made == ["first", "second"]
    third = find("third", 4)
    assert [path.exists() for path in (first, second, third)] == [True, False, True]


def test_a_graph_whose_writing_fails_leaves_nothing(own_cache: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        EngineCache().find_graph("weights", "plain", write)
    assert list((own_cache / "engines" / "graphs").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HIERSEG_CACHE", str(tmp_path / "file"))
    cache = EngineCache()
    cache.write_trial("key", {"a": 1})
    assert cache.read_trial("key") == {"a": 1}
    assert EngineCache().folder == cache.folder
