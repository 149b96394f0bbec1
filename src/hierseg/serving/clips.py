"""Segments the frames of a clip one by one, and writes the overlay video."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

from hierseg.inference import Prediction
from hierseg.jobs import write_legend
from hierseg.media import OverlayVideo, write_picture
from hierseg.serving.decoder import Decoder, Picked
from hierseg.serving.limits import Limits, Refusal
from hierseg.serving.model import Model
from hierseg.serving.results import VIEW, describe_picture, list_classes, write_view
from hierseg.serving.tasks import Task


def segment_clip(task: Task, model: Model, limits: Limits) -> Generator[bool]:
    """Segment a clip. Yields True after each frame, so that other tasks may run in between; ends
    when everything is written, or at once if the client is gone.

    Raises:
        Refusal: The clip cannot be decoded, or has too many frames.
    """
    task.state, asked = "decoding", task.asked
    with ExitStack() as stack:
        decoder = stack.enter_context(Decoder(limits))
        rate, count = decoder.read_clip(task.path, task.sent, asked.clip)
        if count is not None and count > limits.max_frames:
            every = asked.clip.every * -(-count // limits.max_frames)
            raise Refusal(
                413,
                f"{task.sent}: {count} frames are more than the {limits.max_frames} that this "
                f"server takes; give every={every}, or a part by from and to.",
            )
        task.total, task.state = count, "segmenting"
        film = _Film(task, rate, stack)
        prediction = None
        for frame in decoder.read_frames(task.sent):
            if task.gone:
                return
            outcome = model.segment(frame.pixels, asked.how, asked.attention)
            prediction = outcome.prediction
            film.add(frame, prediction, describe_picture(outcome))
            task.done += 1
            if task.done >= limits.max_frames:
                break
            yield True
    task.state = "writing"
    if prediction is not None:
        film.finish(prediction)
    task.finish()


class _Film:
    """Writes the overlay video of a clip, and the labels of each frame.

    Args:
        task: The clip's task.
        rate: Frames a second.
        stack: Closes the video at its end.
    """

    def __init__(self, task: Task, rate: Fraction, stack: ExitStack) -> None:
        self._task, self._result = task, task.result
        output = task.asked.output
        self._all, self._view = output in ("zip", "links"), output == "links"
        self._every, self._frames = task.asked.clip.every, list[dict[str, Any]]()
        self._overlay: OverlayVideo | None = None
        if self._all or output == "overlay":
            path = self._result.folder / f"{self._result.name}_overlay.mp4"
            self._overlay = stack.enter_context(OverlayVideo(path, rate))

    def add(self, frame: Picked, prediction: Prediction, about: dict[str, Any]) -> None:
        """Write one frame."""
        folder, stem = self._result.folder, f"{self._result.name}_{frame.index:06d}"
        about |= {"index": frame.index, "time": round(frame.time, 4)}
        if self._all:
            path = write_picture(folder / f"{stem}_labels.png", prediction.labels)
            self._result.files.append(path.name)
        if self._view:
            about["view"] = write_view(prediction, self._result, f"{VIEW}-{frame.index:06d}")
        if self._overlay is not None:
            self._overlay.pixel_shape = frame.pixel_shape
            self._overlay.add(prediction.overlay(), frame.index)
            self._overlay.hold(frame.index + self._every - 1)
        self._frames.append(about)

    def finish(self, last: Prediction) -> None:
        """Describe the files in the result, after the video is closed."""
        shares: dict[str, float] = {}
        for frame in self._frames:
            for one in frame["classes"]:
                name = one["name"]
                shares[name] = shares.get(name, 0.0) + one["share"] / len(self._frames)
        first, result = self._frames[0], self._result
        result.about |= {
            "height": first["height"],
            "width": first["width"],
            "seconds": round(sum(frame["seconds"] for frame in self._frames), 4),
            "confidence": round(
                sum(frame["confidence"] for frame in self._frames) / len(self._frames), 5
            ),
            "classes": list_classes(dict(sorted(shares.items(), key=lambda item: -item[1])), last),
            "frames": self._frames,
        }
        if self._overlay is not None:
            if self._overlay.failure is None:
                result.files.append(self._overlay.path.name)
            else:
                result.about["unwritten"] = {"overlay": self._overlay.failure}
        if self._all:
            result.files.append(write_legend(last.label_space, result.folder).name)
