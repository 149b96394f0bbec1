"""The options of an export. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from hierseg.errors import UsageError
from hierseg.options import GraphOutput, GraphPart, GraphPrecision, check_scales
from hierseg.size import SMALLEST_SIDE, Size

Format = Literal["onnx", "openvino", "pt2"]

ENDINGS: dict[str, str] = {"onnx": ".onnx", "openvino": ".xml", "pt2": ".pt2"}
"""Ending of each format's file; OpenVINO has its weights in another file, ``.bin``."""


@dataclass(frozen=True)
class ExportOptions:
    """The options of a graph.

    Attributes:
        format: ``"onnx"``, ``"openvino"``, or ``"pt2"``, which torch runs.
        size: Size of the images; None for any size from 32x32.
        scales: Scales of the image; None for the network's own, or with part ``"scale"`` for 1.
        output: ``"labels"``; ``"confidence"``, which adds the confidence of the labels; or
            ``"logits"``, which adds the logits.
        precision: ``"float32"``; ``"fp16"``, which halves the file; or ``"int8"``.
        part: ``"whole"``, from pixels to labels; or ``"scale"``, the logits, attention and features
            of one scale, to be fused elsewhere.
    """

    format: Format = "onnx"
    size: Size | None = None
    scales: tuple[float, ...] | None = None
    output: GraphOutput = "labels"
    precision: GraphPrecision = "float32"
    part: GraphPart = "whole"

    def check(self, path: Path) -> None:
        """UsageError for options that are out of range or exclude each other, or do not fit the
        file's name.
        """
        for flag, value, kind in (
            ("format", self.format, Format),
            ("output", self.output, GraphOutput),
            ("precision", self.precision, GraphPrecision),
            ("part", self.part, GraphPart),
        ):
            if value not in get_args(kind):
                raise UsageError(f"--{flag} {value!s:.40} is none of {', '.join(get_args(kind))}.")
        ending, given = ENDINGS[self.format], Path(path).suffix
        if given != ending:
            raise UsageError(
                f"--out {path} does not end in {ending}, as {self.format} files do; name it so."
            )
        self._check_scales()
        if self.size is not None and min(self.size) < SMALLEST_SIDE:
            raise UsageError(
                f"--size {self.size} has a side under {SMALLEST_SIDE} pixels; give more."
            )
        if self.precision == "int8" and self.format == "pt2":
            raise UsageError("--precision int8 is for onnx and openvino; give one as --format.")

    def _check_scales(self) -> None:
        given: Any = self.scales
        if given is not None:
            try:
                check_scales(given)
            except UsageError as error:
                raise UsageError(f"--scales: {error}") from error
        if self.part == "scale":
            if given is not None and len(given) != 1:
                raise UsageError("--part scale exports one scale; give one, such as --scales 0.5.")
            if self.output != "labels":
                raise UsageError(
                    "--part scale always gives logits, attention and features; leave --output out."
                )
