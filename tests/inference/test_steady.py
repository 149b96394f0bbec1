"""Steady video: frames that agree with the last one are joined with it, others are not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hierseg.engines import TorchEngine
from hierseg.errors import UsageError
from hierseg.flow import Pair
from hierseg.inference import Segmenter, SteadyPredictor
from hierseg.inference.steady import OLDEST, Steadier
from hierseg.options import RunOptions
from support.color_network import SPACE, ColorNetwork
from support.pooling_network import make_network

Pixels = npt.NDArray[np.uint8]


class Still:
    """Says that nothing moves, or everything by a few pixels."""

    name = "still"

    def __init__(self, by: float = 0.0, needs_before: bool = False) -> None:
        self.by, self.needs_before = by, needs_before
        self.asked: list[tuple[Pair | None, bool]] = []

    def fingerprint(self) -> str:
        return f"still {self.by:g}"

    def estimate(
        self, source: Pixels, target: Pixels, before: Any = None, *, where: Pair | None = None
    ) -> npt.NDArray[np.float32]:
        self.asked.append((where, before is not None))
        way = 1 if where is None or where.source <= where.target else -1
        flow = np.zeros((*target.shape[:2], 2), np.float32)
        flow[..., 0] = self.by * way
        return flow


def flicker(count: int, size: tuple[int, int] = (64, 96)) -> list[Pixels]:
    """Two fields whose colours lie near the boundary of two classes, and noise."""
    rng = np.random.default_rng(2)
    base = np.empty((*size, 3), np.float64)
    base[:] = (SPACE.colors[0] + np.array(SPACE.colors[1])) / 2
    base[:, : size[1] // 2] += (6, -6, 0)
    base[:, size[1] // 2 :] -= (6, -6, 0)
    return [
        np.clip(base + rng.normal(0, 8, base.shape), 0, 255).astype(np.uint8) for _ in range(count)
    ]


def changes(predictions: list[Any]) -> float:
    pairs = itertools.pairwise(predictions)
    return float(np.mean([(a.labels != b.labels).mean() for a, b in pairs]))


def steady(network: Any, estimator: Any, how: Any = "blend", **options: Any) -> Steadier:
    return Steadier(Segmenter(TorchEngine(network), RunOptions(**options)), estimator, how)


def test_labels_flicker_less_and_are_right_more_often() -> None:
    frames = flicker(8)
    one = steady(ColorNetwork(), Still())
    plain = [Segmenter(TorchEngine(ColorNetwork())).segment([frame])[0] for frame in frames]
    joined = [one.segment(frame) for frame in frames]
    assert (joined[0].labels == plain[0].labels).all()
    assert changes(joined) < 0.6 * changes(plain)
    truth = np.zeros(joined[0].labels.shape, np.uint8)
    truth[:, truth.shape[1] // 2 :] = 1
    assert (joined[-1].labels == truth).mean() > (plain[-1].labels == truth).mean() + 0.05
    assert one.shares == [1.0] * 8


def test_what_does_not_agree_is_of_the_new_frame_alone() -> None:
    first, second = flicker(2)
    second[16:48, 20:60] = SPACE.colors[2]
    one = steady(ColorNetwork(), Still())
    one.segment(first)
    found = one.segment(second)
    alone = Segmenter(TorchEngine(ColorNetwork())).segment([second])[0]
    assert (found.labels[18:46, 22:58] == 2).all()
    assert np.allclose(found.confidence[18:46, 22:58], alone.confidence[18:46, 22:58])
    assert not np.allclose(found.confidence[:10], alone.confidence[:10])


def test_logits_are_moved_by_the_flow() -> None:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:] = SPACE.colors[0]
    frame[:, 40:] = SPACE.colors[1]
    moved = np.zeros_like(frame)
    moved[:] = SPACE.colors[0]
    moved[:, 44:] = SPACE.colors[1]
    one = steady(ColorNetwork(), Still(-4.0))
    one.segment(frame, "0")
    found = one.segment(moved, "1")
    assert (found.labels == (np.arange(96) >= 44)).all()
    # The border that has come in is of the new frame; beside it both frames say the same.
    assert found.confidence[30, 50] == pytest.approx(found.confidence[30, 2])


def test_another_clip_or_size_begins_anew() -> None:
    estimator = Still()
    one = steady(ColorNetwork(), estimator)
    one.segment(flicker(1)[0])
    assert estimator.asked == []
    one.segment(flicker(1, (48, 64))[0])
    assert estimator.asked == []
    one.reset()
    one.segment(flicker(1, (48, 64))[0])
    assert estimator.asked == []


def test_an_estimator_that_needs_three_frames_begins_with_the_third() -> None:
    estimator = Still(needs_before=True)
    one = steady(ColorNetwork(), estimator)
    for number, frame in enumerate(flicker(4)):
        one.segment(frame, str(number))
    assert estimator.asked == [(Pair("1", "2", "0"), True), (Pair("2", "3", "1"), True)]


def test_reuse_runs_tiles_where_frames_differ_and_all_of_them_in_turn() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    frame = np.kron(rng.integers(60, 190, (12, 24, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    network = make_network((0.5, 1.0, 2.0))
    one = steady(network, Still(), "reuse")
    whole = one.segment(frame)
    assert one.shares == [1.0]
    still = [one.segment(frame) for _ in range(OLDEST)]
    shares = one.shares[1:]
    assert 0.7 < sum(shares) < 1.6  # each tile about once
    assert max(shares) < 0.5
    assert all((found.labels == whole.labels).mean() > 0.97 for found in still)
    changed = frame.copy()
    changed[20:80, 20:100] = 255 - changed[20:80, 20:100]
    found = one.segment(changed)
    assert 0 < one.shares[-1] < 0.7
    alone = Segmenter(TorchEngine(network)).segment([changed])[0]
    assert (found.labels[24:76, 24:96] == alone.labels[24:76, 24:96]).mean() > 0.97
    assert (found.labels == alone.labels).mean() > 0.95
    cut = one.segment(np.rot90(frame, 2).copy())
    assert one.shares[-1] == 1.0
    assert (
        cut.labels == Segmenter(TorchEngine(network)).segment([frame[::-1, ::-1].copy()])[0].labels
    ).mean() > 0.99


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"flip": True}, "leave out --flip"),
        ({"mode": "slide"}, "leave out --mode slide"),
        ({"budget": 0.7}, "leave out --budget"),
        ({"scales": (1.0,)}, "--steady reuse chooses where the largest of several scales"),
    ],
)
def test_what_reuse_cannot_do_is_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        steady(make_network(), Still(), "reuse", **options)


def test_networks_without_attention_over_scales_cannot_reuse() -> None:
    with pytest.raises(
        UsageError, match="--steady reuse is for hierarchical networks, whose attention"
    ):
        steady(ColorNetwork(), Still(), "reuse")


def test_single_scales_are_not_kept() -> None:
    segmenter = Segmenter(TorchEngine(ColorNetwork()), keep_scales=True)
    with pytest.raises(UsageError, match="leave attention and scales out of --save"):
        Steadier(segmenter, Still())


def test_a_mode_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="--steady bland is none of blend, reuse"):
        steady(ColorNetwork(), Still(), "bland")


def test_a_predictor_takes_frames_in_their_order() -> None:
    frames = flicker(4)
    predictor = SteadyPredictor(ColorNetwork(), Still(), label_space=SPACE)  # type: ignore[arg-type]
    one = steady(ColorNetwork(), Still())
    for prediction, frame in zip(predictor.stream(frames), frames, strict=True):
        assert (prediction.labels == one.segment(frame).labels).all()
    assert predictor.describe_steady() == "blend still 0"
