"""Temporal consistency: how steady predictions on a clip are once motion is taken out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.data import find_files, is_file, is_folder, read_dataset_image, read_label_ids
from hierseg.errors import UserError
from hierseg.flow import PASSES, FlowEstimator, Pair, check_flow, warp_labels
from hierseg.inference import Predictor, SteadyPredictor
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.metrics import ConfusionMatrix
from hierseg.wording import count

_SEQUENCE, _ENDING, _LABELS = "leftImg8bit_sequence", "_leftImg8bit.png", "_gtFine_labelIds.png"


class SequenceFrame(NamedTuple):
    """A frame of a clip.

    Attributes:
        image: Its file.
        label: Its label map; None where it has none.
        place: Its name in files of flow.
    """

    image: Path
    label: Path | None
    place: str


@dataclass(frozen=True)
class Consistency:
    """What was measured on clips.

    Attributes:
        clips: Number of clips.
        frames: Number of frames, over all clips.
        consistency: mIoU of each prediction against the one before, moved by the flow, in [0, 1];
            NaN if no clip has two frames.
        compared: Share of the pixels that were compared, in [0, 1]: those whose flow passes its
            check.
        flow: Name of the estimator of the flow.
        miou: mIoU over all frames with labels, in [0, 1]; NaN if there are none.
        labelled: Number of frames with labels.
        seconds: Mean seconds of a frame.
        run: Share of the largest scale's tiles that were run, in [0, 1].
    """

    clips: int
    frames: int
    consistency: float
    compared: float
    flow: str
    miou: float
    labelled: int
    seconds: float
    run: float

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON; null for NaN."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in vars(self).items()
        }


def find_sequences(root: Path, split: str) -> list[list[SequenceFrame]]:
    """The clips of a split of Cityscapes' sequences; the frames of a clip have consecutive numbers.

    A frame's label map is the one in ``gtFine_sequence``, or if that is missing, in ``gtFine``.

    Raises:
        UserError: There are no clips.
    """
    frames: dict[tuple[str, int], SequenceFrame] = {}
    folder = root / _SEQUENCE / split
    for path in find_files(folder, f"*/*{_ENDING}") if is_folder(folder) else ():
        stem = path.name.removesuffix(_ENDING)
        clip, _, number = stem.rpartition("_")
        if number.isdecimal():
            labels = (
                root / place / split / path.parent.name / f"{stem}{_LABELS}"
                for place in ("gtFine_sequence", "gtFine")
            )
            place = f"{split}/{path.parent.name}/{path.stem}"
            label = next((one for one in labels if is_file(one)), None)
            frames[f"{path.parent.name}/{clip}", int(number)] = SequenceFrame(path, label, place)
    clips: list[list[SequenceFrame]] = []
    last = ("", -1)
    for key in sorted(frames):
        if key != (last[0], last[1] + 1):
            clips.append([])
        clips[-1].append(frames[key])
        last = key
    if not clips:
        raise UserError(
            f"'{root}' holds no {_SEQUENCE}/{split}/CITY/*{_ENDING}; name another --root or "
            "--split, or draw clips with `hierseg streets --clip 30`."
        )
    return clips


def measure_consistency(
    predictor: Predictor,
    clips: Sequence[Sequence[SequenceFrame]],
    estimator: FlowEstimator,
    on_progress: Callable[[int, int], None] | None = None,
    space: LabelSpace = CITYSCAPES,
) -> Consistency:
    """Predict clips frame by frame, and compare each prediction with the one before.

    Args:
        predictor: A predictor with the classes of ``space``; a steady one is reset at each clip.
        clips: The frames of each clip, in order.
        estimator: Estimates the flow that predictions are moved by; a steady predictor may use
            another one.
        on_progress: Called with (frames done, frames in all).
        space: Label space of the label maps.

    Raises:
        UserError: A frame or a label map cannot be read or counted, or the frames of a clip differ
            in size.
    """
    tally = _Tally(len(space.names), space)
    total = sum(map(len, clips))
    for clip in clips:
        if isinstance(predictor, SteadyPredictor):
            tally.keep_shares(predictor)
            predictor.steadier.reset()
        last: tuple[Any, Any, SequenceFrame] | None = None
        for frame in clip:
            image = read_dataset_image(frame.image)
            start = time.perf_counter()
            labels = predictor(image).labels
            tally.seconds += time.perf_counter() - start
            tally.score(labels, frame.label)
            if last is not None:
                where = Pair(last[2].place, frame.place)
                tally.compare(last[0], image, last[1], labels, estimator, where)
            last = image, labels, frame
            if on_progress is not None:
                on_progress(tally.frames, total)
    if isinstance(predictor, SteadyPredictor):
        tally.keep_shares(predictor)
    return tally.finish(len(clips), estimator)


class _Tally:
    """The counts so far."""

    def __init__(self, classes: int, space: LabelSpace) -> None:
        self.space = space
        self.between, self.truth = ConfusionMatrix(classes), ConfusionMatrix(classes)
        self.frames = self.labelled = self.compared = self.pixels = 0
        self.seconds = 0.0
        self.shares: list[float] = []

    def keep_shares(self, predictor: SteadyPredictor) -> None:
        self.shares += predictor.steadier.shares

    def score(self, labels: npt.NDArray[np.uint8], path: Path | None) -> None:
        self.frames += 1
        if path is not None:
            ids = read_label_ids(path, self.space.known_raw_ids)
            try:
                self.truth.update(labels, self.space.encode(ids))
            except UserError as error:  # ids or sizes, which say nothing of the file
                raise UserError(f"'{path}' cannot be counted: {error}") from error
            self.labelled += 1

    def compare(
        self,
        source: npt.NDArray[np.uint8],
        target: npt.NDArray[np.uint8],
        last: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.uint8],
        estimator: FlowEstimator,
        where: Pair,
    ) -> None:
        flow = estimator.estimate(source, target, where=where)
        back = estimator.estimate(target, source, where=Pair(where.target, where.source))
        moved = warp_labels(last, flow)
        passes = check_flow(source, target, flow, back) >= PASSES
        moved[~passes] = self.space.ignore
        self.between.update(labels, moved)
        self.compared += int(passes.sum())
        self.pixels += passes.size

    def finish(self, clips: int, estimator: FlowEstimator) -> Consistency:
        names = self.space.names
        return Consistency(
            clips=clips,
            frames=self.frames,
            consistency=self.between.scores(names).miou if self.compared else math.nan,
            compared=self.compared / self.pixels if self.pixels else math.nan,
            flow=estimator.name,
            miou=self.truth.scores(names).miou if self.labelled else math.nan,
            labelled=self.labelled,
            seconds=self.seconds / max(1, self.frames),
            run=float(np.mean(self.shares)) if self.shares else 1.0,
        )


def format_consistency(found: Consistency) -> str:
    """A few lines for the reader."""
    lines = [
        f"{count(found.clips, 'clip')}, {count(found.frames, 'frame')}, "
        f"{found.seconds:.3f} s a frame",
        f"temporal consistency {_percent(found.consistency)} (mIoU against the prediction before, "
        f"moved by flow of {found.flow}, which passes its check in {_percent(found.compared)} % of "
        "the pixels)",
    ]
    if found.labelled:
        frames = count(found.labelled, "labelled frame")
        lines.append(f"mIoU {_percent(found.miou)} over {frames}")
    if found.run < 1:
        lines.append(f"{_percent(found.run)} % of the largest scale's tiles were run")
    return "\n".join(lines)


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"
