"""Steps from a labelled frame: what is warped by what, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hierseg.errors import UserError
from hierseg.flow import FlowError, Pair
from hierseg.propagation import Rules, propagate_frame
from hierseg.propagation.chains import Made
from hierseg.propagation.frames import Frame, MissingFrameError

SIZE = (12, 20)
VOID = 255


@dataclass
class Shift:
    """Says that everything moves one pixel to the left a frame, and remembers what it was asked."""

    needs_before: bool = False
    asked: list[tuple[str, str, int | None]] = field(default_factory=list)
    back: float = -1.0
    name: str = "shift"

    def fingerprint(self) -> str:
        return "shift"

    def estimate(
        self,
        source: npt.NDArray[np.uint8],
        target: npt.NDArray[np.uint8],
        before: npt.NDArray[np.uint8] | None = None,
        *,
        where: Pair | None = None,
    ) -> npt.NDArray[np.float32]:
        assert where is not None
        known = None if before is None else int(before[0, 0, 0])
        self.asked.append((where.source, where.target, known))
        flow = np.zeros((*target.shape[:2], 2), np.float32)
        forwards = int(target[0, 0, 0]) > int(source[0, 0, 0])
        flow[..., 0] = 1.0 if forwards else self.back
        return flow


class Clip:
    """Frames whose values are those of the columns moved by the time, but for one that tells it."""

    def __init__(self, times: range) -> None:
        self.times = times
        self.wide = np.random.default_rng(0).integers(60, 90, (SIZE[0], 60, 3), np.uint8)

    def read(self, step: int) -> Frame:
        if step not in self.times:
            raise MissingFrameError(f"frame {step}", step)
        pixels = self.wide[:, 20 + step : 40 + step].copy()
        pixels[0, 0] = 100 + step
        return Frame(f"frame {step}", str(step), pixels)

    def labels(self) -> npt.NDArray[np.uint8]:
        return np.tile(np.arange(20, dtype=np.uint8), (SIZE[0], 1))


def run(
    clip: Clip,
    estimator: Any,
    rules: Rules = Rules(2),  # noqa: B008
) -> tuple[dict[int, Made], list[str]]:
    notes: list[str] = []
    labels = clip.labels()
    chain = propagate_frame(clip.read, labels, labels == VOID, VOID, estimator, rules, notes.append)
    return {made.step: made for made in chain}, notes


def test_labels_and_image_move_together_and_what_enters_is_ignored() -> None:
    clip = Clip(range(-9, 10))
    made, notes = run(clip, Shift())
    assert list(made) == [0, 1, 2, -1, -2]
    assert notes == []
    for step in (1, 2):
        assert (made[step].labels[1:, : 20 - step] == clip.labels()[1:, step:]).all()
        assert (made[step].labels[1:, 20 - step :] == VOID).all()
        assert (made[step].image[1:, : 20 - step] == clip.read(0).pixels[1:, step:]).all()
        assert (made[-step].labels[1:, step:] == clip.labels()[1:, :-step]).all()
        assert (made[-step].labels[1:, :step] == VOID).all()
    # The border is repeated, as published, where nothing is taken out.
    assert (made[2].all_labels[1:, -3:] == 19).all()
    assert (made[2].image[1:, -3:] == clip.read(0).pixels[1:, -1:]).all()
    assert made[2].confidence[5, 5] > 0.9
    assert (made[2].confidence[:, -2:] == 0).all()


def test_all_labels_are_kept_where_that_is_asked_for() -> None:
    made, _ = run(Clip(range(-9, 10)), Shift(), Rules(2, keep_all=True))
    assert (made[2].labels == made[2].all_labels).all()
    assert (made[2].labels != VOID).all()


def test_labels_alone_are_paired_with_the_real_frame() -> None:
    clip = Clip(range(-9, 10))
    joint, _ = run(clip, Shift())
    alone, _ = run(clip, Shift(), Rules(2, "labels"))
    assert (alone[2].image == clip.read(2).pixels).all()
    assert (alone[2].labels == joint[2].labels).all()
    assert (joint[2].image != alone[2].image).any()


def test_a_flow_that_does_not_lead_back_fails_and_stays_failed() -> None:
    estimator = Shift(back=4.0)  # five pixels from home
    made, _ = run(Clip(range(-9, 10)), estimator)
    assert (made[1].labels == VOID).all()
    assert (made[2].confidence <= made[1].confidence.max()).all()
    assert (made[2].labels == VOID).all()


def test_unlabelled_pixels_stay_without_confidence() -> None:
    clip = Clip(range(-9, 10))
    labels = clip.labels()
    labels[:, 10] = VOID
    chain = propagate_frame(clip.read, labels, labels == VOID, VOID, Shift(), Rules(1), print)
    made = {one.step: one for one in chain}
    assert (made[0].confidence[:, 10] == 0).all()
    assert (made[1].labels[:, 9] == VOID).all()
    assert (made[1].confidence[:, 9] == 0).all()
    assert (made[1].confidence[1:, 8] > 0.5).all()


def test_three_real_frames_are_seen_the_labelled_one_first_after_step_one() -> None:
    estimator = Shift(needs_before=True)
    run(Clip(range(-3, 4)), estimator, Rules(3))
    asked = {(source, target): before for source, target, before in estimator.asked}
    # Step 1 sees I-1, I, I+1; step k sees I, I+k-1, I+k. The value says the time, from 100.
    assert asked["0", "1"] == 99
    assert asked["1", "2"] == 100
    assert asked["2", "3"] == 100
    assert asked["0", "-1"] == 101
    assert asked["-1", "-2"] == 100
    # The way back sees the frame beyond, where there is one.
    assert asked["1", "0"] == 102
    assert asked["2", "1"] == 103
    assert ("3", "2") not in asked


def test_ends_are_said_in_a_sentence_and_the_other_direction_is_done() -> None:
    made, notes = run(Clip(range(-2, 2)), Shift())
    assert list(made) == [0, 1, -1, -2]
    assert notes == [
        "frame 0 is propagated 1 of 2 steps forwards, since frame 2 is not there; add that frame, "
        "or give fewer --steps."
    ]
    made, notes = run(Clip(range(-2, 1)), Shift())
    assert list(made) == [0, -1, -2]
    assert len(notes) == 1
    assert "0 of 2 steps forwards" in notes[0]
    made, notes = run(Clip(range(1)), Shift())
    assert list(made) == [0]
    assert notes == [
        "frame 0 is alone in its clip: no frame is before or after it to propagate to."
    ]


def test_frames_of_two_sizes_end_a_direction() -> None:
    clip = Clip(range(-9, 10))

    def read(step: int) -> Frame:
        frame = clip.read(step)
        return frame._replace(pixels=frame.pixels[:6]) if step == 2 else frame

    notes: list[str] = []
    labels = clip.labels()
    chain = propagate_frame(read, labels, labels == VOID, VOID, Shift(), Rules(3), notes.append)
    assert [made.step for made in chain] == [0, 1, -1, -2, -3]
    assert len(notes) == 1
    assert "'frame 1' is 12x20 and 'frame 2' is 6x20" in notes[0]


def test_a_flow_that_cannot_be_had_ends_a_direction() -> None:
    class Broken(Shift):
        def estimate(self, *args: Any, **more: Any) -> npt.NDArray[np.float32]:
            if more["where"].target == "-1":
                raise FlowError("there is no flow.")
            return super().estimate(*args, **more)

    made, notes = run(Clip(range(-9, 10)), Broken())
    assert list(made) == [0, 1, 2]
    assert notes == ["frame 0 is propagated 0 of 2 steps backwards: there is no flow."]


def test_a_labelled_frame_that_cannot_be_read_is_an_error() -> None:
    def read(step: int) -> Frame:
        raise UserError("damaged.")

    labels = Clip(range(1)).labels()
    with pytest.raises(UserError, match="damaged"):
        list(propagate_frame(read, labels, labels == VOID, VOID, Shift(), Rules(), print))
