"""A clip of Miniature Streets on disk, in the layout of Cityscapes' sequences.

Every frame has its image in ``leftImg8bit_sequence`` and its labels in ``gtFine_sequence``; the
labelled frame lies in ``leftImg8bit`` and ``gtFine`` too, as in Cityscapes. ``flow_sequence`` holds
the exact flow of each frame to the frame before and after it: ``A_to_B.npz`` says where what A
shows is in B, by which B is warped into A.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.files import write_bytes
from hierseg.size import Size
from hierseg.streets.filming import Flow, film_street

SEQUENCE_FOLDERS = ("leftImg8bit_sequence", "gtFine_sequence", "flow_sequence")

_FINEST = 256  # parts of a pixel that a stored flow is rounded to, as it is then smaller


class FramePaths(NamedTuple):
    """The files of a frame; the first and the last of a clip have one flow alone."""

    image: Path
    labels: Path
    before: Path
    after: Path


def labelled_frame(frames: int) -> int:
    """The number of a clip's labelled frame: the 20th of 30 as in Cityscapes, else the middle."""
    return 19 if frames >= 30 else (frames - 1) // 2


def frame_paths(out: Path, split: str, city: str, index: int, frame: int) -> FramePaths:
    """Where a frame lies."""
    stem, previous, following = (f"{city}_{index:06d}_{frame + n:06d}" for n in (0, -1, 1))
    image, labels, flow = (out / name / split / city for name in SEQUENCE_FOLDERS)
    return FramePaths(
        image / f"{stem}_leftImg8bit.png",
        labels / f"{stem}_gtFine_labelIds.png",
        flow / f"{stem}_to_{previous}.npz",
        flow / f"{stem}_to_{following}.npz",
    )


def flow_bytes(flow: Flow) -> bytes:
    """An ``.npz`` file of ``flow`` (H, W, 2) float32 in pixels and ``visible`` (H, W) bool."""
    buffer = io.BytesIO()
    rounded = np.rint(flow.flow * _FINEST) / np.float32(_FINEST)
    np.savez_compressed(buffer, flow=rounded.astype(np.float32), visible=flow.visible)
    return buffer.getvalue()


class LabelledFrame(NamedTuple):
    """Pixels of the labelled frame: image, label ids, instance ids."""

    image: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    instances: npt.NDArray[Any]


def write_clip(
    out: Path, seed: int, size: Size, frames: int, place: tuple[str, str, int], write_png: Any
) -> LabelledFrame:
    """Draw a clip and write its frames; the labelled one is handed back, to be written last.

    Args:
        out: The set's folder.
        seed: Of the scene.
        size: Of a frame.
        frames: Number of frames.
        place: Split, city and number of the clip.
        write_png: Writes a (path, pixels) with pixels in BGR.
    """
    labelled = None
    for number, frame in enumerate(film_street(seed, size, frames)):
        paths = frame_paths(out, *place, number)
        for path, flow in ((paths.before, frame.before), (paths.after, frame.after)):
            if flow is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, flow_bytes(flow))
        write_png(paths.labels, frame.labels)
        write_png(paths.image, np.ascontiguousarray(frame.image[..., ::-1]))
        if number == labelled_frame(frames):
            labelled = LabelledFrame(frame.image, frame.labels, frame.instances)
    assert labelled is not None
    return labelled
