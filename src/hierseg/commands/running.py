"""How `hierseg evaluate` runs a network: by windows, or as published figures were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from hierseg.errors import UsageError
from hierseg.options import check_scales
from hierseg.size import Size

if TYPE_CHECKING:
    from hierseg.inference import Windows

PresetName = Literal["cityscapes", "mapillary"]


@dataclass(frozen=True)
class RunFlags:
    """How a network is run over a split."""

    preset: PresetName | None = None
    """The published scales, mirror image and long edge of this data set; scales and long edge that
    are given go before them."""
    mode: Literal["whole", "slide"] = "whole"
    """whole, or slide: windows that overlap, their logits blended."""
    window: Size | None = None
    """Size of the windows; by default a square of the image's shorter side."""
    overlap: float | None = None
    """Share of a window that its neighbour sees too, at least; 0.25 by default."""


WHOLE = RunFlags()


class Preset(NamedTuple):
    """How a published figure was measured.

    Attributes:
        scales: Scales of the image; None for the checkpoint's own.
        flip: Whether the mirrored image joins in.
        long_edge: Pixels that the longer side of an image is run at; None leaves it as it is.
    """

    scales: tuple[float, ...] | None
    flip: bool
    long_edge: int | None


PRESETS: dict[PresetName, Preset] = {
    "cityscapes": Preset((0.5, 1.0, 2.0), False, None),
    "mapillary": Preset((0.25, 0.5, 1.0, 2.0), True, 2177),
}
"""Of HMSA (arXiv 2005.10821): 86.92 mIoU on Cityscapes val, 61.05 on Mapillary's."""


def check_flag(scales: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """What ``--scales`` gives; UsageError for what no network can run."""
    try:
        return None if scales is None else check_scales(scales)
    except UsageError as error:
        raise UsageError(f"--scales: {error}") from error


def apply_preset(
    name: PresetName | None, scales: tuple[float, ...] | None, flip: bool, long_edge: int | None
) -> Preset:
    """A preset's settings, but for those that are given; those alone where none is named."""
    if name is None:
        return Preset(scales, flip, long_edge)
    preset = PRESETS[name]
    return Preset(
        preset.scales if scales is None else scales,
        flip or preset.flip,
        preset.long_edge if long_edge is None else long_edge,
    )


def choose_windows(flags: RunFlags) -> Windows | None:
    """The windows of ``--mode slide``, None for whole images; UsageError for what cannot be."""
    window, overlap = flags.window, flags.overlap
    if flags.mode == "slide":
        if window is not None and min(window) < 32:
            raise UsageError(f"--window {window} has a side under 32 pixels; give more.")
        from hierseg.inference import Windows

        return Windows(window) if overlap is None else Windows(window, overlap)
    for flag, value in (("--window", window), ("--overlap", overlap)):
        if value is not None:
            raise UsageError(f"{flag} is for --mode slide; add that, or leave it out.")
    return None
