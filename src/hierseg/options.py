"""The options by which a network is run. All code that segments takes them, and every command that
segments embeds them, so a flag means the same in each.
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
"""The outputs of an exported graph: labels; confidence, which adds their confidence; logits, which
adds the logits."""
GraphPrecision = Literal["float32", "fp16", "int8"]
GraphPart = Literal["whole", "scale"]
"""The content of an exported graph: everything from pixels to labels, or the maps of one scale."""
MOST_SCALES = 16
"""Most scales of a run."""
SMALLEST_SCALE, LARGEST_SCALE = 1 / 128, 8.0
"""A scale beyond them is taken for a mistake: memory grows with the square of the largest scale."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class RunOptions:
    """How a network is run; the same flags in every command that runs one."""

    preset: PresetName | None = None
    """The published scales, flip and long edge for this data set. Scales and a long edge that are
    given replace the preset's."""
    scales: tuple[float, ...] | None = None
    """Scales at which the image is run; by default the weights' own. 1 must be among them, unless
    the network averages its scales."""
    flip: bool = False
    """Average with the mirrored image, which takes twice the time."""
    long_edge: int | Literal["auto", "own"] | None = None
    """Resize each image to this many pixels on its longer side. own keeps its size; auto reduces
    images larger than the size stored with the weights, if there is one. By default auto in
    predict and own elsewhere. Results have the image's own size."""
    short_edge: int | None = None
    """Resize each image to this many pixels on its shorter side, instead of --long-edge."""
    mode: Literal["whole", "slide"] = "whole"
    """whole runs the image at once; slide runs overlapping windows and blends their logits."""
    window: Size | None = None
    """Size of the windows, HEIGHTxWIDTH; by default a square of the image's shorter side."""
    overlap: float | None = None
    """Smallest share of a window that its neighbour covers too, from 0 to below 1; 0.25 by
    default."""
    batch: int = 1
    """Most images of one size that the network runs at once."""
    memory: int | str | None = None
    """Memory that the process may use, or on a GPU the network: 4G, 800M, or bytes; by default all
    that is free. predict runs an image that needs more in overlapping windows, each at all scales;
    most other commands refuse or skip it."""
    budget: float | None = None
    """Run the largest scale only on the tiles that gain most by it, so that the work over all
    scales, halos of tiles included, is at most this share of running them whole. Above 0, at most
    1."""
    gate: float | None = None
    """Run the largest scale only on the tiles whose gate value is above this, instead of a budget.
    The learned gate predicts the share of pixels that the largest scale corrects, minus the share
    that it spoils; the values of other gates are in [0, 1]."""
    gate_by: GateName = "auto"
    """The gate, which values the tiles. learned needs weights with a gate. From the smaller scales:
    disagreement between scales, entropy of the classes, weight left to larger scales, or product
    of entropy and weight. random is for comparison. auto takes the first of learned, disagreement
    and product that weights and scales allow."""
    fusion: Literal["average", "hierarchical"] | None = None
    """How scales are fused, for comparison: average takes the mean of their logits, even if the
    network has attention over scales; hierarchical uses the attention, the default of such a
    network."""
    engine: EngineName | None = None
    """The engine: torch, compile (torch.compile), onnxruntime or openvino; auto takes the fastest
    whose labels agree with torch's in float32. By default auto in predict and torch elsewhere."""
    precision: PrecisionName | None = None
    """Precision of the arithmetic. By default engine auto chooses it with the engine, and other
    engines take float32. int8 is for graphs exported in int8."""

    def resolve(self) -> RunOptions:
        """The checked options, with the preset replaced by its values.

        Raises:
            UsageError: An option is out of range, or two options exclude each other.
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
        """The same options, with this engine if they name none."""
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
            raise UsageError(f"--batch {self.batch} is too small; give 1 or more.")
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
                f"--long-edge {edge!s:.40}: a long edge of {edge!r:.40} is too small, or not a "
                f"whole number; give {SMALLEST_SIDE} or more."
            )
        if self.short_edge is None:
            return
        if not _is_edge(self.short_edge):
            raise UsageError(
                f"--short-edge {self.short_edge!s:.40} is too small, or not a whole number; give "
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
                f"--overlap {self.overlap:g} is not a share of a window; give 0 or more, under 1."
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
                f"--budget {self.budget!s:.40} is not a share of the work; give more than 0, at "
                "most 1."
            )
        if self.gate is not None and not (_is_real(self.gate) and math.isfinite(self.gate)):
            raise UsageError(f"--gate {self.gate!s:.40} is not a number; give 0.1, say.")
        if not self.gates and self.gate_by != "auto":
            raise UsageError(
                f"--gate-by {self.gate_by} needs a budget or a gate; add --budget 0.6, say, or "
                "leave it out."
            )

    @property
    def gates(self) -> bool:
        """Whether the largest scale is run only on some tiles."""
        return self.budget is not None or self.gate is not None

    def describe_gate(self) -> str:
        """How the largest scale is gated, in words; empty if it is not."""
        if not self.gates:
            return ""
        how = f"budget {self.budget:g}" if self.budget is not None else f"gate {self.gate:g}"
        return f"{how} by {self.gate_by}"

    def list_flags(self) -> list[str]:
        """The flags of options that differ from their defaults, as a command takes them."""
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
"""The scales of HMSA (arXiv 2005.10821): 86.92 mIoU on Cityscapes val, 61.05 on Mapillary val."""


def check_scales(scales: Iterable[float]) -> tuple[float, ...]:
    """Check scales, which come from a user, a recipe or a checkpoint, and convert them to floats.

    Raises:
        UsageError: There is none, there are more than ``MOST_SCALES``, two are equal, or one is not
            a number from ``SMALLEST_SCALE`` to ``LARGEST_SCALE``.
    """
    if isinstance(scales, str | bytes) or not isinstance(scales, Iterable):
        raise UsageError(f"scales are a list of numbers, not {scales!r:.40}; give (0.5, 1.0), say.")
    given = list(islice(scales, MOST_SCALES + 1))  # an iterator may never end
    if not given:
        raise UsageError("no scale is given; give at least scale 1.")
    if len(given) > MOST_SCALES:
        raise UsageError(f"more than {MOST_SCALES} scales are given; give fewer.")
    checked = tuple(_check_scale(scale) for scale in given)
    if len(set(checked)) < len(checked):
        raise UsageError(f"a scale is given twice in {list(checked)}; leave one out.")
    return checked


def require_one(scales: Iterable[float], flag: str = "--scales") -> None:
    """UsageError unless 1 is among the scales, as networks with attention over scales need it."""
    given = tuple(scales)
    if 1.0 not in given:
        raise UsageError(
            f"the scales ({show_scales(given)}) must include 1; give for example {flag} 0.5 1."
        )


def require_probability(flag: str, value: float) -> None:
    """UsageError, naming the flag, for a value that is not a probability."""
    if not 0 <= value <= 1:
        raise UsageError(f"{flag} {value:g} is not a probability; give one from 0 to 1.")


def parse_memory(given: Any, flag: str = "--memory") -> int:
    """The bytes in ``"24G"``, ``"24GB"``, ``"24GiB"`` or ``"500M"``, where each unit is 1024 of the
    next smaller one, or in a plain number; UsageError, naming the flag, for anything else.
    """
    is_whole = isinstance(given, numbers.Integral) and not isinstance(given, bool)
    text = str(given) if is_whole or isinstance(given, str) else ""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size <= 0:
        raise UsageError(f"{given!r:.40} is not an amount of memory; give {flag} 24G, say.")
    return size


def _check_flag(scales: Iterable[float]) -> tuple[float, ...]:
    try:
        return check_scales(scales)
    except UsageError as error:
        raise UsageError(f"--scales: {error}") from error


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_edge(value: Any) -> bool:
    """Whether a value is a whole number, numpy's too, of pixels enough for a network."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_whole and int(value) >= SMALLEST_SIDE


def _check_scale(scale: Any) -> float:
    # Numbers of numpy and tensors of one value are accepted; True and "1" are not.
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
