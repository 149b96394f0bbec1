"""How a network is run, stated once: whatever segments takes these options, and a command embeds
them, so that a flag is the same in each.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

from hierseg.errors import UsageError
from hierseg.size import SMALLEST_SIDE, Size

PresetName = Literal["cityscapes", "mapillary"]
GateName = Literal[
    "auto", "learned", "disagreement", "product", "entropy", "weight", "random"
]  # fmt: skip
EngineName = Literal["auto", "torch", "compile", "onnxruntime", "openvino"]
PrecisionName = Literal["auto", "float32", "fp32", "bf16", "fp16", "int8"]
GraphOutput = Literal["labels", "confidence", "logits"]
"""What an exported graph gives: labels alone, or with their confidence, or with the logits."""
GraphPrecision = Literal["float32", "fp16", "int8"]
GraphPart = Literal["whole", "scale"]
"""What is in an exported graph: all from pixels to labels, or the maps of one scale."""
MOST_SCALES = 16
SMALLEST_SCALE, LARGEST_SCALE = 1 / 128, 8.0
"""Beyond them is a slip of the pen: the memory grows by the square of the largest."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class RunOptions:
    """How a network is run; the same flags in every command that runs one."""

    preset: PresetName | None = None
    """The published scales, mirror image and long edge of this data set; scales and long edge that
    are given go before them."""
    scales: tuple[float, ...] | None = None
    """Scales of the image; the weights' own where none are given. 1 must be among them unless the
    network averages its scales."""
    flip: bool = False
    """Average with the mirrored image, at twice the time."""
    long_edge: int | Literal["auto", "own"] | None = None
    """Pixels that the longer side of an image is run at; own runs it as it is, and auto larger
    images at what the weights say, where they do: so predict does by itself, others take own.
    Results are of the image's own size."""
    short_edge: int | None = None
    """Pixels that the shorter side of an image is run at, instead of --long-edge."""
    mode: Literal["whole", "slide"] = "whole"
    """whole, or slide: windows that overlap, their logits blended."""
    window: Size | None = None
    """Size of the windows; by default a square of the image's shorter side."""
    overlap: float | None = None
    """Share of a window that its neighbour sees too, at least; 0.25 by default."""
    batch: int = 1
    """Images of one size that the network is given together, at most."""
    memory: int | str | None = None
    """Memory that the process may take, or on a GPU what the network may: 4G, 800M, or bytes; by
    default what is free. predict runs an image that needs more by windows that overlap, at all
    scales; other commands do not run it."""
    budget: float | None = None
    """Work over all scales, halos of tiles included, as a share of running them whole; the largest
    scale is then run on the tiles that gain most by it. Above 0, at most 1."""
    gate: float | None = None
    """Run the largest scale on the tiles whose gate value is above this, instead of a budget. The
    learned gate's value is the share of pixels that it foretells to be corrected, less those
    spoiled; other gates' values are in [0, 1]."""
    gate_by: GateName = "auto"
    """What values a tile: learned, where the weights have a gate; or, from the scales already run,
    the scales' disagreement, the entropy of the classes, the weight left to larger scales, or the
    product of the two; or random. auto takes learned, else disagreement, else product."""
    fusion: Literal["average", "hierarchical"] | None = None
    """How scales are fused, for comparison: average takes the mean of their logits also where a
    network has attention over scales; hierarchical is what such a network does by itself."""
    engine: EngineName | None = None
    """What computes: torch, its compiler, ONNX Runtime or OpenVINO; auto takes the fastest whose
    labels agree with torch's in float32. predict takes auto by itself, others torch."""
    precision: PrecisionName | None = None
    """Of the arithmetic. Where none is given, an engine that is chosen by itself chooses it too,
    and others have float32. int8 is for graphs that were made so."""

    def resolve(self) -> RunOptions:
        """The options once checked, with those of the preset filled in and no preset left.

        Raises:
            UsageError: An option, or two together, that cannot be.
        """
        if self.preset is not None and self.preset not in PRESETS:
            raise UsageError(f"--preset {self.preset} is none of {', '.join(PRESETS)}.")
        preset = PRESETS[self.preset] if self.preset is not None else WHOLE
        given = self.scales if self.scales is not None else preset.scales
        resolved = dataclasses.replace(
            self,
            preset=None,
            scales=None if given is None else _check_flag(given),
            flip=self.flip or preset.flip,
            long_edge=preset.long_edge if self.long_edge is None else self.long_edge,
            memory=None if self.memory is None else parse_memory(self.memory),
            precision="float32" if self.precision == "fp32" else self.precision,
        )
        resolved._check()
        return resolved

    def prefer_engine(self, engine: EngineName) -> RunOptions:
        """The same with an engine where none is given."""
        return self if self.engine is not None else dataclasses.replace(self, engine=engine)

    def _check_engine(self) -> None:
        for flag, value, known in (
            ("engine", self.engine, get_args(EngineName)),
            ("precision", self.precision, get_args(PrecisionName)),
        ):
            if value is not None and value not in known:
                raise UsageError(f"--{flag} {value!s:.40} is none of {', '.join(known)}.")

    def _check(self) -> None:
        self._check_engine()
        self._check_edges()
        if self.fusion not in (None, "average", "hierarchical"):
            raise UsageError(f"--fusion {self.fusion!s:.40} is neither average nor hierarchical.")
        if self.batch < 1:
            raise UsageError(f"--batch {self.batch} holds no image; give 1 or more.")
        self._check_windows()
        self._check_gate()

    def _check_edges(self) -> None:
        edge: Any = self.long_edge
        if isinstance(edge, str) and edge not in ("auto", "own"):
            raise UsageError(
                f'{edge!r:.40} is no long edge; give --long-edge pixels, "auto", or "own".'
            )
        if not (edge is None or isinstance(edge, str) or _is_edge(edge)):
            raise UsageError(
                f"--long-edge {edge!s:.40}: a long edge of {edge!r:.40} is too small, or no whole "
                f"number; give {SMALLEST_SIDE} or more."
            )
        if self.short_edge is None:
            return
        if not _is_edge(self.short_edge):
            raise UsageError(
                f"--short-edge {self.short_edge!s:.40} is too small, or no whole number; give "
                f"{SMALLEST_SIDE} or more."
            )
        if edge is not None:
            raise UsageError(
                "--short-edge and --long-edge both say the size of images, and so does --preset "
                "mapillary; give one of them."
            )

    def _check_windows(self) -> None:
        if self.mode == "whole":
            for flag, value in (("--window", self.window), ("--overlap", self.overlap)):
                if value is not None:
                    raise UsageError(f"{flag} is for --mode slide; add that, or leave it out.")
        if self.window is not None and min(self.window) < SMALLEST_SIDE:
            raise UsageError(
                f"--window {self.window} has a side under {SMALLEST_SIDE} pixels; give more."
            )
        if self.overlap is not None and not 0 <= self.overlap < 1:
            raise UsageError(
                f"--overlap {self.overlap:g} is no share of a window; give 0 or more, under 1."
            )

    def _check_gate(self) -> None:
        if self.gate_by not in get_args(GateName):
            raise UsageError(
                f"--gate-by {self.gate_by!s:.40} is none of {', '.join(get_args(GateName))}."
            )
        if self.budget is not None and self.gate is not None:
            raise UsageError("--budget and --gate both say which tiles are run; give one of them.")
        if self.budget is not None and not (_is_real(self.budget) and 0 < self.budget <= 1):
            raise UsageError(
                f"--budget {self.budget!s:.40} is no share of the work; give more than 0, at most "
                "1."
            )
        if self.gate is not None and not (_is_real(self.gate) and math.isfinite(self.gate)):
            raise UsageError(f"--gate {self.gate!s:.40} is no number; give 0.1, say.")
        if not self.gates and self.gate_by != "auto":
            raise UsageError(
                f"--gate-by {self.gate_by} gates nothing by itself; add --budget 0.6, say, or "
                "leave it out."
            )

    @property
    def gates(self) -> bool:
        """Whether the largest scale is run on some tiles alone."""
        return self.budget is not None or self.gate is not None

    def describe_gate(self) -> str:
        """How the largest scale is gated, in words; empty where it is not."""
        if not self.gates:
            return ""
        how = f"budget {self.budget:g}" if self.budget is not None else f"gate {self.gate:g}"
        return f"{how} by {self.gate_by}"

    def list_flags(self) -> list[str]:
        """The flags that are not as they are by default, as a command takes them."""
        return [
            "--mode slide" if name == "mode" else "--" + name.replace("_", "-")
            for name in (field.name for field in dataclasses.fields(self))
            if getattr(self, name) != getattr(WHOLE, name)
        ]


WHOLE = RunOptions()
"""Whole images at the weights' own scales."""

PRESETS: Mapping[PresetName, RunOptions] = {
    "cityscapes": RunOptions(scales=(0.5, 1.0, 2.0)),
    "mapillary": RunOptions(scales=(0.25, 0.5, 1.0, 2.0), flip=True, long_edge=2177),
}
"""Of HMSA (arXiv 2005.10821): 86.92 mIoU on Cityscapes val, 61.05 on Mapillary's."""


def check_scales(scales: Iterable[float]) -> tuple[float, ...]:
    """The scales as floats, whoever gives them: a user, a recipe, or a checkpoint.

    Raises:
        UsageError: There are none or more than ``MOST_SCALES``, they are no distinct numbers, or
            outside of ``SMALLEST_SCALE`` to ``LARGEST_SCALE``.
    """
    if isinstance(scales, str | bytes) or not isinstance(scales, Iterable):
        raise UsageError(f"scales are several numbers, not {scales!r:.40}; give (0.5, 1.0), say.")
    given = list(islice(scales, MOST_SCALES + 1))  # it may go on for ever
    if not given:
        raise UsageError("no scale is given; give at least scale 1.")
    if len(given) > MOST_SCALES:
        raise UsageError(f"more than {MOST_SCALES} scales are given; give fewer.")
    checked = tuple(_check_scale(scale) for scale in given)
    if len(set(checked)) < len(checked):
        raise UsageError(f"a scale is given twice in {list(checked)}.")
    return checked


def require_one(scales: Iterable[float], flag: str = "--scales") -> None:
    """UsageError unless scale 1 is among them, as networks need that decide between scales."""
    given = tuple(scales)
    if 1.0 not in given:
        raise UsageError(
            f"the scales ({show_scales(given)}) must include 1; give for example {flag} 0.5 1."
        )


def require_probability(flag: str, value: float) -> None:
    """UsageError, which names the flag, for a value that is no probability."""
    if not 0 <= value <= 1:
        raise UsageError(f"{flag} {value:g} is no probability; give one from 0 to 1.")


def parse_memory(given: Any, flag: str = "--memory") -> int:
    """Bytes of ``"24G"``, ``"24GB"``, ``"24GiB"``, ``"500M"``, each unit 1024 of the one below, or
    of a number of bytes; UsageError, which names the flag, for anything else.
    """
    is_whole = isinstance(given, numbers.Integral) and not isinstance(given, bool)
    text = str(given) if is_whole or isinstance(given, str) else ""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size <= 0:
        raise UsageError(f"{given!r:.40} is no amount of memory; give {flag} 24G, for example.")
    return size


def _check_flag(scales: Iterable[float]) -> tuple[float, ...]:
    try:
        return check_scales(scales)
    except UsageError as error:
        raise UsageError(f"--scales: {error}") from error


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_edge(value: Any) -> bool:
    """Whether it is a whole number of pixels, numpy's too, that is enough for a network."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_whole and int(value) >= SMALLEST_SIDE


def _check_scale(scale: Any) -> float:
    # numpy's numbers are numbers, and a tensor of one value can be; True and "1" are none.
    try:
        is_number = not isinstance(scale, bool | str | bytes) and hasattr(scale, "__float__")
        number = float(scale) if is_number else math.nan
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        number = math.nan
    if not SMALLEST_SCALE <= number <= LARGEST_SCALE:
        raise UsageError(
            f"scales must be positive numbers, from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, not "
            f"{scale!r:.40}."
        )
    return number


def show_scales(scales: Iterable[float]) -> str:
    """Scales as the command line takes them: ``0.5 1 2``."""
    return " ".join(f"{scale:g}" for scale in scales)
